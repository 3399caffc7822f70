// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// registryFlags are the flags of "rollcall registry". Session timeouts of 0 are
// multiples of the tick.
type registryFlags struct {
	listen                 address
	data                   directory
	config                 configFile
	base                   zkserver.Options // of the configuration file
	memory, verbose        bool
	tick                   span
	minSession, maxSession span
	segment, snapshot      size
}

func newRegistry() *cobra.Command {
	flags := registryFlags{
		listen:     "127.0.0.1:2181",
		tick:       span{d: 2 * time.Second, least: time.Millisecond},
		minSession: span{least: time.Millisecond},
		maxSession: span{least: time.Millisecond},
		segment:    size{least: zkserver.MinFileBytes},
		snapshot:   size{least: zkserver.MinFileBytes},
	}
	cmd := &cobra.Command{
		Use:   "registry --data DIR",
		Short: "Run a registry that speaks ZooKeeper's protocol",
		Long: `Run a registry of one node that speaks ZooKeeper's protocol: Rollcall's servers
and clients, and any other client of ZooKeeper, connect to it as they do to
ZooKeeper.

With --data it keeps nodes, sessions and the numbers of sequential nodes in a
directory that it makes and locks: what it has answered survives the end of the
process and of the power. It reads and checks all of it when it starts. If the
disk is full or fails, it answers nothing more and ends with exit status 1. With
--memory everything is gone when it ends; servers register again by themselves
when it is back.

The disk needs space for four times a snapshot, for twice --snapshot-bytes of log and
for 1 MiB; a snapshot takes some hundred bytes for a znode, and its data. A registry
whose own log has filled the disk starts again: it gives up the file "reserve" and
writes a snapshot in place of the log.

With --config it follows a configuration file of ZooKeeper as far as that concerns
one server, and warns of the rest.

It prints "registry ready on HOST:PORT" once it accepts connections. Logs go to
stderr.`,
		Example: `  rollcall registry --data /var/lib/rollcall
  rollcall registry --config /etc/zookeeper/zoo.cfg
  rollcall registry check /var/lib/rollcall
  rollcall registry --memory --listen 127.0.0.1:0 --tick 500ms`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(cmd.SuggestionsFor(args[0])) > 0 {
				return unknownCommand(cmd, args)
			}
			return argCount(0)(cmd, args)
		},
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger := flags.logger(cmd.ErrOrStderr())
			if flags.config != "" {
				if err := flags.readConfig(cmd.Flags(), logger); err != nil {
					return err
				}
			}
			opts, err := flags.options(logger)
			if err != nil {
				return err
			}
			return serveRegistry(cmd.Context(), string(flags.listen), opts, cmd.OutOrStdout())
		},
	}
	cmd.Flags().Var(&flags.listen, "listen", "where to accept connections; port 0: a free one")
	cmd.Flags().Var(&flags.data, "data", "where to keep the data")
	cmd.Flags().Var(&flags.config, "config", "a zoo.cfg to follow; flags have the last word")
	cmd.Flags().BoolVar(&flags.memory, "memory", false, "keep the data in memory alone")
	cmd.Flags().Var(&flags.tick, "tick", "unit of session time: sessions are looked over once per tick")
	cmd.Flags().Var(&flags.minSession, "min-session-timeout", "shortest session a client may ask for (default 2 ticks)")
	cmd.Flags().Var(&flags.maxSession, "max-session-timeout", "longest session a client may ask for (default 20 ticks)")
	cmd.Flags().Var(&flags.snapshot, "snapshot-bytes", "after how much log a snapshot is written (default 64MiB)")
	cmd.Flags().Var(&flags.segment, "segment-bytes", "how long a file of the log may become (default 64MiB)")
	cmd.Flags().BoolVar(&flags.verbose, "verbose", false, "log details too")
	if err := cmd.RegisterFlagCompletionFunc("data", completeDirs); err != nil {
		panic(fmt.Sprintf("rollcall: completion of --data: %v", err)) //nolint:forbidigo // it exists and has none
	}
	// Unlike other commands that hold some it does something by itself.
	cmd.SetUsageTemplate((&cobra.Command{}).UsageTemplate())
	cmd.AddCommand(newRegistryCheck(), newRegistryBackup())
	return cmd
}

// completeDirs has the shell complete directories.
func completeDirs(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// options checks the flags together.
func (f *registryFlags) options(logger *slog.Logger) (zkserver.Options, error) {
	switch {
	case f.data == "" && !f.memory:
		return zkserver.Options{}, usagef("--data is missing: give --data DIR to keep the data there, or --memory for data that is gone when the registry ends")
	case f.data != "" && f.memory:
		return zkserver.Options{}, usagef("--memory together with --data %q: give one of them", f.data)
	}
	shortest, longest := f.minSession.d, f.maxSession.d
	if shortest == 0 {
		shortest = 2 * f.tick.d
	}
	if longest == 0 {
		longest = 20 * f.tick.d
	}
	if longest < shortest {
		return zkserver.Options{}, usagef("--max-session-timeout %v: give at least --min-session-timeout, which is %v", longest, shortest)
	}
	opts := f.base
	opts.DataDir, opts.TickTime, opts.Logger = string(f.data), f.tick.d, logger
	opts.MinSessionTimeout, opts.MaxSessionTimeout = shortest, longest
	if f.segment.n > 0 {
		opts.Store.SegmentBytes = f.segment.n
	}
	if f.snapshot.n > 0 {
		opts.Store.SnapshotBytes = f.snapshot.n
	}
	return opts, nil
}

func (f *registryFlags) logger(stderr io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
}

// serveRegistry serves until ctx ends or the data cannot be kept any more.
func serveRegistry(ctx context.Context, listen string, opts zkserver.Options, stdout io.Writer) error {
	server, err := zkserver.New(opts)
	var data *zkserver.DataError
	switch {
	case errors.As(err, &data):
		return fmt.Errorf("registry: %w", data.Err)
	case err != nil:
		return &usageError{err} // the options are the flags
	}
	err = listenAndServe(ctx, server, listen, stdout)
	if closed := server.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

func listenAndServe(ctx context.Context, server *zkserver.Server, listen string, stdout io.Writer) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "registry ready on %s\n", listener.Addr())
	return server.Serve(ctx, listener)
}
