// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2
)

// errReported is the failure of a command that has told about it already.
var errReported = errors.New("failed")

// run executes one command line and returns its exit status. The command's context
// ends when nothing can be printed any more.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &output{Writer: stdout, failed: cancel}
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if failed := out.Err(); failed != nil && !errors.Is(err, failed) {
		err = failed
	}
	var usage *usageError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "rollcall: %v\nsee \"%s --help\"\n", usage, cmd.CommandPath())
		return statusUsage
	case !errors.Is(err, errReported):
		fmt.Fprintf(stderr, "rollcall: %s\n", printable(strings.TrimPrefix(err.Error(), "rollcall: ")))
	}
	return statusFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall COMMAND",
		Short: "Find, call and watch the servers of a service",
		Long: `Rollcall makes a Go service distributed: servers register in ZooKeeper, clients
watch the list, pick a live server, call it and move on when it dies.

A TARGET names a service: zk://HOST:PORT[,HOST:PORT...]/PATH for the list in a
registry, zks:// where that speaks TLS, or static://HOST:PORT[,HOST:PORT...] for the
servers themselves.`,
		Example: `  rollcall demo
  rollcall registry --memory
  rollcall ls --watch`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}, // ours keeps to the exit statuses
	}
	root.SetUsageFunc(writeUsage)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	group(root, newDemo(), newDemoServer(), newChaos(), newChaosServer(), newRegistry(), newLs(), newDrain(), newUndrain(), newWeight(), newHealth(), newMethods(), newCall(), newBench(), newCert(), newCompletion(), newVersion(), newZK())
	complete(root)
	return root
}

// group makes parent a command that only holds others: by itself it refuses.
func group(parent *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	parent.Args = unknownCommand
	parent.DisableFlagsInUseLine = true
	parent.SuggestionsMinimumDistance = 2
	parent.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		cmd.Help() //nolint:errcheck // nowhere to report it
		return usagef("no command given: choose one of those above")
	}
	parent.AddCommand(commands...)
	return parent
}

// unknownCommand refuses arguments of a group: what should be a command is not.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	fix := "the help lists the commands"
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		fix = "did you mean " + strings.Join(similar, " or ") + "?"
	}
	return usagef("unknown command %q: %s", args[0], fix)
}

// newHelp is cobra's help command, except that an unknown command is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Help about a command",
		Example:           "  rollcall help ls",
		ValidArgsFunction: commandNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || (about.HasSubCommands() && len(rest) > 0) {
				return unknownCommand(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
