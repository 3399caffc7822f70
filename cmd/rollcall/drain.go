// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func newDrain() *cobra.Command {
	c := new(overrideCommand)
	cmd := &cobra.Command{
		Use:   "drain TARGET INSTANCE...",
		Short: "Take instances out: no client calls them until undrain",
		Long: `Take instances of a service out: every client stops picking them at once, calls in
flight end as they would have, and the servers go on running. It is refused if no
instance would be left that gets calls.`,
		Example: `  rollcall drain zk://127.0.0.1:2181/rpc 10.1.2.3:8001 --reason 'new kernel'
  rollcall drain zk://127.0.0.1:2181/rpc server0000000003 server0000000004
  rollcall drain zk://127.0.0.1:2181/rpc 7f3a91c2e0b4d586 -o json | jq .get_calls_after`,
		Args: argsFrom(2, "TARGET", "INSTANCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.parse(cmd, args[0], args[1:]); err != nil {
				return err
			}
			order := c.order()
			c.change = func(o *discovery.Override) { o.Drain = &order }
			return c.run(cmd.Context())
		},
	}
	return c.addFlags(cmd, true)
}
