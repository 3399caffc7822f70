// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

const usage = `Usage: client [flags]

Calls divide(0), divide(1), … on whichever servers are there and prints a line
for each call: HOST:PORT VALUE, or HOST:PORT error: MESSAGE, with - for HOST:PORT
where nobody answered. The exit status is 1 if a call failed for another reason
than an invalid operation.

Example:
  client -registry zk://127.0.0.1:2181/rpc -n 50 -interval 1s

Flags:`

// options are what the command line says.
type options struct {
	registry string
	calls    int // 0: no end
	interval time.Duration
	timeout  time.Duration // as in rollcall.CallOptions
	balance  balancer.Policy
	zero     bool
}

func (o *options) parse(args []string, stdout, stderr io.Writer) (status int, done bool) {
	var balance string
	flags := cli.NewFlags("client", usage)
	flags.IntVar(&o.calls, "n", 50, "how many `calls` to make; 0: until SIGINT or SIGTERM")
	flags.DurationVar(&o.interval, "interval", time.Second, "the pause between two calls")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "the limit of a call, the wait for a server included; 0: none")
	flags.StringVar(&balance, "balance", balancer.Random.Name(), "how to pick a server: "+strings.Join(balancer.PolicyNames(), ", "))
	flags.BoolVar(&o.zero, "zero", false, "call divide(1, 0), which is an invalid operation")
	return flags.Parse(args, stdout, stderr, func() (err error) {
		o.registry = flags.Registry
		if o.balance, err = balancer.ParsePolicy(balance); err != nil {
			return fmt.Errorf("-balance: %w", err)
		}
		return o.check(flags)
	})
}

func (o *options) check(flags *cli.Flags) error {
	if _, err := discovery.ParseTarget(o.registry); err != nil {
		return err
	}
	if o.calls < 0 {
		return fmt.Errorf("-n %d: give 0 or more", o.calls)
	}
	if err := cli.NotNegative("interval", o.interval); err != nil {
		return err
	}
	if err := cli.NotNegative("timeout", o.timeout); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: there are no arguments, only flags", flags.Arg(0))
	}
	return nil
}
