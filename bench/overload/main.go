// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Overload asks Rollcall and grpc-go for more than they can do:
//
//	cd bench && go run ./overload
//
// A server is a process of its own, the load is an open loop: calls are due at
// random moments (Poisson), whatever became of those before, and a call is good when
// it is answered rightly within its time since it was due. What a server can do is
// measured first, in a closed loop of few callers. Everything is each one's default.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/rollcall-rpc/rollcall/bench/internal/machine"
)

// serveCommand is the hidden command of a server.
const serveCommand = "serve"

// burnCommand is that of a process that keeps others from the processor.
const burnCommand = "burn"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "overload: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 3 && args[0] == serveCommand {
		return serve(ctx, args[1], args[2], stdout)
	}
	if len(args) == 1 && args[0] == burnCommand {
		burn(os.Stdin)
	}
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	flags.SetOutput(stderr)
	runs := flags.Int("runs", 5, "how often each cell is measured")
	duration := flags.Duration("duration", 5*time.Second, "of each load")
	only := flags.String("cells", "", "those whose names begin so; empty: all")
	systems := flags.String("systems", rollcallSystem+","+grpcSystem, "which to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *runs < 1 || *duration <= 0 {
		return fmt.Errorf("arguments %q: give -runs from 1, -duration above 0, and nothing else", args)
	}
	chosen := slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return !strings.HasPrefix(c.name, *only) })
	if len(chosen) == 0 {
		var names []string
		for _, c := range cells {
			names = append(names, c.name)
		}
		return fmt.Errorf("-cells %q: no name begins so, they are %s", *only, strings.Join(names, "; "))
	}
	for system := range strings.SplitSeq(*systems, ",") {
		if system != rollcallSystem && system != grpcSystem {
			return fmt.Errorf("-systems: system %q: give some of %s,%s", system, rollcallSystem, grpcSystem)
		}
	}
	results := make(map[string][]outcome)
	var rows []string
	for n := range *runs {
		for _, c := range chosen {
			for system := range strings.SplitSeq(*systems, ",") {
				if c.servers > 1 && system == grpcSystem {
					continue // what it balances is somebody else's resolver
				}
				fmt.Fprintf(stderr, "run %d of %d: %s, %s\n", n+1, *runs, c.name, system)
				o, err := c.measure(ctx, system, *duration)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, system, err)
				}
				row := c.name + " | " + system
				if len(results[row]) == 0 {
					rows = append(rows, row)
				}
				results[row] = append(results[row], o)
			}
		}
	}
	fmt.Fprintf(stdout, "%s. Medians of %d runs of %v each; a client and its servers are processes on loopback.\n\n", machine.Line(), *runs, *duration)
	return report(stdout, rows, results)
}

// report prints the medians, and the least and greatest share.
func report(w io.Writer, rows []string, results map[string][]outcome) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| cell | system | can do /s | offered /s | good /s | good, of what can be done | busy /s | late /s | failed /s | not in time from 1 s after | server MiB |")
	fmt.Fprintln(t, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, row := range rows {
		all := results[row]
		of := func(f func(outcome) float64) float64 {
			values := make([]float64, len(all))
			for i, o := range all {
				values[i] = f(o)
			}
			slices.Sort(values)
			return values[len(values)/2]
		}
		share := func(o outcome) float64 { return o.good / min(o.capacity, o.offered) }
		least := slices.MinFunc(all, func(a, b outcome) int { return compare(share(a), share(b)) })
		greatest := slices.MaxFunc(all, func(a, b outcome) int { return compare(share(a), share(b)) })
		fmt.Fprintf(t, "| %s | %.0f | %.0f | %.0f | %.2f; %.2f–%.2f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", row,
			of(func(o outcome) float64 { return o.capacity }), of(func(o outcome) float64 { return o.offered }),
			of(func(o outcome) float64 { return o.good }), of(share), share(least), share(greatest),
			of(func(o outcome) float64 { return o.busy }), of(func(o outcome) float64 { return o.late }),
			of(func(o outcome) float64 { return o.failed }), of(func(o outcome) float64 { return o.after }),
			of(func(o outcome) float64 { return o.memory }))
	}
	return t.Flush()
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
