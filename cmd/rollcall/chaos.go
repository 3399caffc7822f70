// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

const (
	maxChaosServers = 100
	maxChaosRate    = 100_000
	maxChaosCallers = 10_000
	shortDuration   = time.Second // of --short
	reachTimeout    = 5 * time.Second
)

// A chaosCommand is one run of "rollcall chaos".
type chaosCommand struct {
	output            format
	registry          registryTarget
	members           members
	only              scenarioNames
	list, short       bool
	servers           bounded
	rate, callers     bounded
	duration, maxWait span
	seed              seed
}

func newChaos() *cobra.Command {
	c := &chaosCommand{
		output:   formatTable,
		servers:  bounded{n: 3, least: 2, most: maxChaosServers},
		rate:     bounded{n: 1000, most: maxChaosRate},
		callers:  bounded{n: 50, most: maxChaosCallers},
		duration: span{d: 4 * time.Second, least: 100 * time.Millisecond},
		maxWait:  span{d: 1500 * time.Millisecond, least: time.Millisecond},
		seed:     1,
	}
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Break servers and the registry under load and count what callers notice",
		Long: `Break things under load, as the scenarios say that --list prints, and count what
the callers notice: an open loop that begins calls when they are due, and beside it
a closed loop of callers that make one call after the other. Half of the calls are
of an idempotent method, Get, the others of one that is not, Put. The servers are
processes of their own on this machine; so is the registry, unless --registry names
one that is there. It takes a little more than three minutes, with --short half of one.

The table holds for each scenario: the calls made; the Gets that failed; the Puts
that failed and what is known of their execution; the Puts that were executed twice,
by the servers' own notes. Then, in milliseconds: the 99th percentile of the open
loop before; its 50th and 99th percentile and its longest call within --duration of
the strike, counted from when a call should have begun; the longest call of all; how
long a client still picked a server that was struck, and, once all was well again,
how long a client's list was not yet right.

Below a row stand what only this scenario measures and what it promises of that.

The exit status is 1 if a promise is broken: a Get fails; a Put fails that was not
under way to a server that was struck, or without saying so; a Put is executed twice;
a call lasts longer than --max-wait; a list is not right again after a minute;
a figure of a scenario is beyond its bound.

--registry and --ensemble take Apache ZooKeeper too. With --ensemble the suite starts
the processes of the registry, one for each time it is given, so that it can kill
them. What it makes in a registry is removed, and is beside the TARGET's path, not
below it. No process outlives it; on Linux not even when it is killed.`,
		Example: `  rollcall chaos
  rollcall chaos --short
  rollcall chaos --only kill,stop --rate 5000 -o json
  rollcall chaos --registry zk://zoo1:2181,zoo2:2181,zoo3:2181/rpc
  rollcall chaos --ensemble '127.0.0.1:2181=java -cp "/usr/share/java/*" org.apache.zookeeper.server.ZooKeeperServerMain zoo.cfg'`,
		Args: argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.list {
				return printScenarios(cmd.OutOrStdout(), c.output)
			}
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.Var(&c.registry, "registry", "`TARGET` of a registry that is there (default: an embedded one)")
	flags.Var(&c.members, "ensemble", "start a member of the registry, which serves on HOST:PORT; to be repeated")
	flags.Var(&c.only, "only", "the scenarios to play, separated by commas")
	flags.BoolVar(&c.list, "list", false, "print the scenarios and play none")
	flags.BoolVar(&c.short, "short", false, "play fewer scenarios, each for 1 s unless --duration is given")
	flags.Var(&c.servers, "servers", "how many servers")
	flags.Var(&c.rate, "rate", "of the open loop, calls per second")
	flags.Var(&c.callers, "callers", "of the closed loop; each pauses for 20 ms on average between two calls")
	flags.Var(&c.duration, "duration", "the window for latencies; half of it the trouble lasts, unless it needs longer")
	flags.Var(&c.maxWait, "max-wait", "how long a call may last")
	flags.Var(&c.seed, "seed", "of the choice of victims and of the moments of calls")
	addOutput(cmd, &c.output)
	return cmd
}

// config makes of the flags what the suite takes.
func (c *chaosCommand) config(cmd *cobra.Command) (chaos.Config, error) {
	if c.registry.text != "" && len(c.members) > 0 {
		return chaos.Config{}, usagef("--registry together with --ensemble: give one of them")
	}
	if c.registry.target.TLS {
		return chaos.Config{}, usagef("--registry %q: chaos speaks clear text with a registry: give one at zk://", c.registry.text)
	}
	executable, err := os.Executable()
	if err != nil {
		return chaos.Config{}, fmt.Errorf("chaos: own binary: %w", err)
	}
	if c.short && !cmd.Flags().Changed("duration") {
		c.duration.d = shortDuration
	}
	return chaos.Config{
		Server: []string{executable, chaosServer}, Registry: []string{executable, "registry"},
		Members: c.members, Servers: c.servers.n, Rate: float64(c.rate.n), Callers: c.callers.n,
		Duration: c.duration.d, MaxWait: c.maxWait.d, Seed: uint64(c.seed),
		Scenarios: chaos.Select(c.only, c.short), Stderr: cmd.ErrOrStderr(),
		Target: c.registry.target,
	}, nil
}

// run plays and prints. Rows of the table appear as they come.
func (c *chaosCommand) run(ctx context.Context, cfg chaos.Config, stdout, stderr io.Writer) error {
	if cfg.Target.Scheme != "" {
		if err := reach(ctx, cfg.Target); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
	}
	// There is something to tidy up when nobody reads the table any more: that is
	// to be an error, and not the end by SIGPIPE.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	if c.output == formatTable {
		chaos.Header(stdout)
		cfg.Progress = func(row *chaos.Row) { row.Print(stdout) }
	}
	report, err := chaos.Run(ctx, cfg)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if c.output == formatJSON {
		err = errors.Join(err, json.NewEncoder(stdout).Encode(report))
	}
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if n := report.Broken(); n > 0 {
		fmt.Fprintf(stderr, "rollcall: chaos: promises were broken in %d of %d scenarios, seed %d\n", n, len(report.Rows), report.Seed)
		return errReported
	}
	return nil
}

// reach fails where a registry does not answer.
func reach(ctx context.Context, target discovery.Target) error {
	z := znodeCommand{stderr: io.Discard, target: target, path: target.Path, timeout: span{d: reachTimeout}}
	return z.run(ctx, func(context.Context) error { return nil })
}

// printScenarios lists what there is to play.
func printScenarios(w io.Writer, output format) error {
	if output == formatJSON {
		type scenario struct {
			Name  string `json:"name"`
			About string `json:"about"`
			Short bool   `json:"short"`
		}
		var list []scenario
		for _, s := range chaos.Scenarios {
			list = append(list, scenario{s.Name, s.About, s.Short})
		}
		return json.NewEncoder(w).Encode(list)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range chaos.Scenarios {
		form := ""
		if s.Short {
			form = "short"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, form, s.About)
	}
	return table.Flush()
}
