// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

const usage = `Usage: server [flags] HOST PORT

Divides for whoever calls, and keeps itself in the list of its service. A PORT
of 0 takes a free one. SIGTERM and SIGINT let it drain: it leaves the list,
finishes its calls and exits with status 0.

Example:
  server -registry zk://127.0.0.1:2181/rpc 127.0.0.1 8001

Flags:`

// options are what the command line says.
type options struct {
	registry       discovery.Target
	addr           string
	drainDelay     time.Duration // as in rollcall.ServerOptions
	sessionTimeout time.Duration
}

func (o *options) parse(args []string, stdout, stderr io.Writer) (status int, done bool) {
	flags := cli.NewFlags("server", usage)
	flags.DurationVar(&o.drainDelay, "drain-delay", rollcall.DefaultDrainDelay, "how long to serve on after leaving the list")
	flags.DurationVar(&o.sessionTimeout, "session-timeout", 10*time.Second, "how long the list shows a server that died without a word")
	return flags.Parse(args, stdout, stderr, func() error { return o.check(flags) })
}

func (o *options) check(flags *cli.Flags) (err error) {
	o.registry, err = discovery.ParseTarget(flags.Registry)
	if err != nil {
		return err
	}
	if o.registry.Scheme != discovery.SchemeZooKeeper {
		return fmt.Errorf("-registry %s: a server registers with zk://host:port/path", flags.Registry)
	}
	if err := cli.NotNegative("drain-delay", o.drainDelay); err != nil {
		return err
	}
	if o.drainDelay == 0 {
		o.drainDelay = -1 // none; 0 would be the default
	}
	if o.sessionTimeout <= 0 {
		return fmt.Errorf("-session-timeout %v: give more than 0", o.sessionTimeout)
	}
	if flags.NArg() != 2 {
		return errors.New("give HOST and PORT")
	}
	host, port := flags.Arg(0), flags.Arg(1)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("PORT %q: give a number from 0 to 65535", port)
	}
	o.addr = net.JoinHostPort(host, port)
	return nil
}
