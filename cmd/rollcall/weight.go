// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// ownWeight is the WEIGHT that takes the order back.
const ownWeight = "default"

func newWeight() *cobra.Command {
	c := &overrideCommand{absent: true}
	cmd := &cobra.Command{
		Use:   "weight TARGET INSTANCE WEIGHT",
		Short: "Give an instance another share of the calls",
		Long: `Give an instance of a service another weight than its server states: its share of
the calls relative to the others, from 0, which gets none, to ` + strconv.Itoa(discovery.MaxWeight) + `; a server states
` + strconv.Itoa(discovery.DefaultWeight) + ` unless it was told otherwise. WEIGHT "` + ownWeight + `" takes the order back.`,
		Example: `  rollcall weight zk://127.0.0.1:2181/rpc 10.1.2.3:8001 10 --reason 'slow disk'
  rollcall weight zk://127.0.0.1:2181/rpc 10.1.2.3:8001 ` + ownWeight,
		Args: argCount(3, "TARGET", "INSTANCE", "WEIGHT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.parse(cmd, args[0], args[1:2]); err != nil {
				return err
			}
			value, err := strconv.Atoi(args[2])
			switch {
			case args[2] == ownWeight:
				c.change = func(o *discovery.Override) { o.Weight = nil }
				return c.run(cmd.Context())
			case err != nil || value < 0 || value > discovery.MaxWeight:
				return usagef("WEIGHT %q: give a whole number from 0 to %d, or %s", args[2], discovery.MaxWeight, ownWeight)
			}
			order := discovery.WeightOrder{Value: value, Order: c.order()}
			c.absent = false
			c.change = func(o *discovery.Override) { o.Weight = &order }
			return c.run(cmd.Context())
		},
	}
	return c.addFlags(cmd, true)
}
