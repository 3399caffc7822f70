// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

func newRegistryBackup() *cobra.Command {
	var data directory
	cmd := &cobra.Command{
		Use:   "backup --data DIR OUT",
		Short: "Copy the data directory of a registry, running or not",
		Long: `Copy the data directory of a registry, which may be running, to a new directory
OUT outside of it, and check the copy. OUT appears when it is whole, and holds all that was
answered before the command began.

To restore, stop the registry and start one with --data OUT, or with a copy of OUT.
Like every start it begins a new epoch, so that clients that have seen more than it
holds come back to it.`,
		Example: "  rollcall registry backup --data /var/lib/rollcall /backup/rollcall-monday\n" +
			"  rollcall registry --data /backup/rollcall-monday",
		Args: argCount(1, "OUT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if data == "" {
				return usagef("--data is missing: give the data directory of the registry, --data DIR")
			}
			report, err := zkserver.BackupData(string(data), args[0])
			if err != nil {
				return registryDataError("backup", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d znodes, %d sessions, up to zxid %s\n", args[0], report.Znodes, report.Sessions, hex(report.Zxid))
			return nil
		},
		ValidArgsFunction: completeDirs,
	}
	cmd.Flags().Var(&data, "data", "data directory of the registry")
	if err := cmd.RegisterFlagCompletionFunc("data", completeDirs); err != nil {
		panic(fmt.Sprintf("rollcall: completion of --data: %v", err)) //nolint:forbidigo // it exists and has none
	}
	return cmd
}
