// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func newUndrain() *cobra.Command {
	c := &overrideCommand{absent: true, prune: span{least: time.Second}}
	cmd := &cobra.Command{
		Use:   "undrain TARGET INSTANCE...",
		Short: "Bring back instances that were drained",
		Long: `Bring back instances of a service that were drained: every client picks them again
at once, with the weight that an operator has given them or else their own. With
--prune every order, for weights too, ends that is older and for an instance which
is not listed any more; INSTANCE may then be left out.`,
		Example: `  rollcall undrain zk://127.0.0.1:2181/rpc 10.1.2.3:8001
  rollcall undrain zk://127.0.0.1:2181/rpc --prune 720h`,
		Args: argsFrom(1, "TARGET", "INSTANCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && c.prune.d == 0 {
				return usagef("INSTANCE is missing: give TARGET INSTANCE..., or --prune")
			}
			if err := c.parse(cmd, args[0], args[1:]); err != nil {
				return err
			}
			c.change = func(o *discovery.Override) { o.Drain = nil }
			return c.run(cmd.Context())
		},
	}
	cmd.Flags().Var(&c.prune, "prune", "end orders older than this for instances that are not listed")
	return c.addFlags(cmd, false)
}
