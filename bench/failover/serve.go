// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// serve is a server of either system.
func serve(ctx context.Context, system string, args []string, stdout, stderr io.Writer) error {
	var opts chaos.ServerOptions
	flags := flag.NewFlagSet(system, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.Registry, "registry", "", "")
	flags.StringVar(&opts.Listen, "listen", "", "")
	flags.StringVar(&opts.Advertise, "advertise", "", "")
	flags.StringVar(&opts.Log, "log", "", "")
	flags.DurationVar(&opts.Session, "session", chaos.Session, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if system == serveGRPC {
		return serveGRPCServer(ctx, opts, os.Stdin, stdout, stderr)
	}
	return chaos.Serve(ctx, opts, os.Stdin, stdout, stderr)
}

// serveRegistry is the registry, as the suite starts it.
func serveRegistry(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(registry, flag.ContinueOnError)
	flags.SetOutput(stderr)
	data := flags.String("data", "", "")
	tick := flags.Duration("tick", time.Second, "")
	listen := flags.String("listen", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := zkserver.New(zkserver.Options{DataDir: *data, TickTime: *tick})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	fmt.Fprintf(stdout, "registry ready on %s\n", listener.Addr())
	return errors.Join(server.Serve(ctx, listener), server.Close())
}
