// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// accessGroup marks the flags that the help shows apart, under accessHelp.
const accessGroup = "rollcall_access"

// accessHelp stands above them, wherever they are.
const accessHelp = `TLS and credentials, the same at every command; files are PEM, those of TLS are
read again when they change, and a flag goes before its variable:
`

// writeUsage writes what the help says below the text: how to use the command.
func writeUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	// What only holds commands runs to refuse: that is no way to use it.
	if cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nAvailable Commands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	own, shared := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, apart := f.Annotations[accessGroup]; apart {
			shared.AddFlag(f)
		} else {
			own.AddFlag(f)
		}
	})
	fmt.Fprintf(&b, "\nFlags:\n%s\n", strings.TrimRight(own.FlagUsages(), "\n"))
	if shared.HasFlags() {
		fmt.Fprintf(&b, "\n%s%s\n", accessHelp, strings.TrimRight(shared.FlagUsages(), "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUse %q for more information about a command.\n", cmd.CommandPath()+" [command] --help")
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}
