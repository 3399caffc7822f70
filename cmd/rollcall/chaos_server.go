// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

const chaosServer = "chaos-server"

// newChaosServer is the hidden command that the servers of "rollcall chaos" run.
func newChaosServer() *cobra.Command {
	listen := address("127.0.0.1:0")
	session := span{d: chaos.Session, least: time.Millisecond}
	limit := bounded{most: math.MaxInt32} // 0: the default
	connections, streams, buffered, files := limit, limit, limit, limit
	opts := chaos.ServerOptions{}
	cmd := &cobra.Command{
		Use:    chaosServer,
		Short:  "One server of chaos",
		Hidden: true,
		Args:   argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Listen, opts.Session = string(listen), session.d
			opts.Limits = chaos.Limits{MaxConnections: connections.n, MaxStreams: streams.n, MaxBufferedBytes: int64(buffered.n), MaxFiles: files.n}
			return chaos.Serve(cmd.Context(), opts, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().Var(&listen, "listen", "where to serve")
	cmd.Flags().Var(&session, "session", "timeout of the session with the registry")
	cmd.Flags().StringVar(&opts.Registry, "registry", defaultTarget, "`TARGET` whose list the server joins")
	cmd.Flags().StringVar(&opts.Advertise, "advertise", "", "`HOST:PORT` that the list tells (default: where it serves)")
	cmd.Flags().Var(&connections, "max-connections", "connections at once, 0: the default")
	cmd.Flags().Var(&streams, "max-streams", "calls in flight on one connection, 0: the default")
	cmd.Flags().Var(&buffered, "max-buffered", "bytes of requests that are not whole, 0: the default")
	cmd.Flags().Var(&files, "max-files", "files that may be open, 0: as the system has it")
	cmd.Flags().StringVar(&opts.Log, "log", "", "`FILE` to note executions in")
	return cmd
}
