// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
)

func newBenchServe() *cobra.Command {
	listen := address("127.0.0.1:8001")
	var registry registryTarget
	var access access
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run an echo server",
		Long: `Run a server whose one method, Bench/Echo, answers with the bytes that it is sent.

It prints "serving on HOST:PORT" once it accepts connections. SIGTERM drains it:
it leaves the list, finishes what is in flight and ends. Logs go to stderr.`,
		Example: `  rollcall bench serve --listen 127.0.0.1:8001
  rollcall bench serve --listen 127.0.0.1:0 --registry zk://127.0.0.1:2181/bench`,
		Args: argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := benchServerOptions(&access, &registry, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return serveBench(cmd.Context(), string(listen), opts, cmd.OutOrStdout())
		},
	}
	cmd.Flags().Var(&listen, "listen", "`HOST:PORT` to accept connections on; port 0: a free one")
	cmd.Flags().Var(&registry, "registry", "`TARGET` whose list the server joins (default none)")
	access.addServerAccess(cmd)
	return cmd
}

// benchServerOptions returns the options of a server.
func benchServerOptions(access *access, registry *registryTarget, stderr io.Writer) (opts rollcall.ServerOptions, err error) {
	opts.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opts.Registry, opts.AllowPlaintext = registry.text, access.plaintext
	if opts.TLS, err = access.server(stderr); err != nil || registry.text == "" {
		return opts, err
	}
	opts.ZooKeeper, err = access.registry(registry.target, stderr)
	return opts, err
}

// serveBench serves until ctx ends, and then drains.
func serveBench(ctx context.Context, listen string, opts rollcall.ServerOptions, stdout io.Writer) error {
	server := rollcall.NewServer(opts)
	rollcall.Handle(server, benchEcho, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("bench serve: %w", err)
	}
	fmt.Fprintf(stdout, "serving on %s\n", listener.Addr())
	return server.Serve(ctx, listener)
}
