// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// A shell is one that a completion script can be written for.
type shell struct {
	name  string
	write func(root *cobra.Command, w io.Writer) error
}

var shells = []shell{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
}

func newCompletion() *cobra.Command {
	var names []string
	for _, s := range shells {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that lets a shell complete this command",
		Long: `Print the script that lets a shell complete rollcall's commands, flags and their
values. SHELL is ` + orList(names) + `.`,
		Example: `  source <(rollcall completion bash)
  rollcall completion bash > ~/.local/share/bash-completion/completions/rollcall
  rollcall completion zsh > "${fpath[1]}/_rollcall"
  rollcall completion fish > ~/.config/fish/completions/rollcall.fish
  rollcall completion powershell | Out-String | Invoke-Expression`,
		Args: argCount(1, "SHELL"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return beginningWith(begun, names), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			i := slices.Index(names, args[0])
			if i < 0 {
				return usagef("SHELL %q: give %s", args[0], orList(names))
			}
			return shells[i].write(cmd.Root(), cmd.OutOrStdout())
		},
	}
}

// orList joins words as in "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// complete tells the shells what cmd and the commands below it take: the values
// of flags that have a choice, and files only for a flag that is marked so.
func complete(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, chosen := cmd.GetFlagCompletionFunc(f.Name); chosen || f.Annotations[cobra.BashCompFilenameExt] != nil {
			return
		}
		err := cmd.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return beginningWith(begun, choices(f.Value)), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(fmt.Sprintf("rollcall: completion of %s --%s: %v", cmd.Name(), f.Name, err)) //nolint:forbidigo // it exists and has none
		}
	})
	for _, sub := range cmd.Commands() {
		complete(sub)
	}
}

// choices are the values that a flag can have, where they can be listed.
func choices(value pflag.Value) []cobra.Completion {
	switch value.(type) {
	case *format:
		return []cobra.Completion{string(formatTable), string(formatJSON)}
	case *policy:
		return balancer.PolicyNames()
	}
	return nil
}

// commandNames completes the arguments of help.
func commandNames(help *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if about, rest, err := help.Root().Find(args); err == nil && len(rest) == 0 {
		for _, sub := range about.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
		}
	}
	return beginningWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}

// beginningWith returns the words that continue what was typed.
func beginningWith(begun string, words []cobra.Completion) []cobra.Completion {
	return slices.DeleteFunc(slices.Clone(words), func(w cobra.Completion) bool { return !strings.HasPrefix(w, begun) })
}
