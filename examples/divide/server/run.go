// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path"
	"sync"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

// run serves until ctx ends, drains, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	if status, done := o.parse(args, stdout, stderr); done {
		return status
	}
	if err := serve(ctx, &o, stdout, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintf(stderr, "server: %v\n", err)
		return cli.StatusFailed
	}
	return cli.StatusOK
}

func serve(ctx context.Context, o *options, stdout io.Writer, logger *slog.Logger) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "serving on %v\n", l.Addr())

	srv := rollcall.NewServer(rollcall.ServerOptions{
		Registry:   o.registry.String(),
		Protocols:  []rollcall.Protocol{divide.Protocol()},
		DrainDelay: o.drainDelay,
		ZooKeeper:  zookeeper.Options{SessionTimeout: o.sessionTimeout},
		Logger:     logger,
	})
	rollcall.Handle(srv, divide.Divide, divide.Handler)

	ready, cancel := context.WithCancel(ctx)
	var announcer sync.WaitGroup
	announcer.Go(func() {
		// It fails only where the server stops, and Serve tells why.
		if name, err := srv.Registered(ready); err == nil {
			fmt.Fprintf(stdout, "registered as %s\n", path.Join(o.registry.Path, name))
		}
	})
	err = srv.Serve(ctx, l)
	cancel()
	announcer.Wait()
	return err
}
