// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Failover puts Rollcall and grpc-go beside each other while servers die, hang,
// slow down and are restarted:
//
//	cd bench && go run ./failover
//
// Both are played by the suite of "rollcall chaos": server processes, an open and
// a closed loop of calls, the servers' own notes of what they executed. Both find
// their servers in the same kind of registry by the same resolver; grpc-go gets
// the list through its manual resolver. Everything else is each one's own:
// Rollcall with its defaults, grpc-go with what its documentation recommends, see
// grpcConfig. The two take turns within each round.
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
	"time"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

// The hidden commands: what the suite starts as processes.
const (
	serveRollcall = "serve-rollcall"
	serveGRPC     = "serve-grpc"
	registry      = "registry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "failover: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case serveRollcall, serveGRPC:
			return serve(ctx, args[0], args[1:], stdout, stderr)
		case registry:
			return serveRegistry(ctx, args[1:], stdout, stderr)
		}
	}
	p, err := parsePlan(args, stderr)
	if err != nil {
		return err
	}
	results, err := p.run(ctx, stderr)
	if err != nil {
		return err
	}
	return printTable(stdout, results)
}

// A plan is what the command line asks for.
type plan struct {
	rounds    int
	scenarios []chaos.Scenario
	cfg       chaos.Config
}

func parsePlan(args []string, stderr io.Writer) (*plan, error) {
	p := &plan{cfg: chaos.Config{MaxWait: time.Hour, Stderr: stderr}}
	flags := flag.NewFlagSet("failover", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&p.rounds, "rounds", 3, "how often each scenario is played with each system")
	only := flags.String("only", "kill,stop,stop-long,slow,rolling", "the scenarios, of those of rollcall chaos")
	flags.IntVar(&p.cfg.Servers, "servers", 3, "how many servers")
	flags.Float64Var(&p.cfg.Rate, "rate", 1000, "of the open loop, calls per second")
	flags.IntVar(&p.cfg.Callers, "callers", 50, "of the closed loop")
	flags.DurationVar(&p.cfg.Duration, "duration", 4*time.Second, "the window for latencies; half of it the trouble lasts")
	flags.Uint64Var(&p.cfg.Seed, "seed", 1, "of the choice of victims and of the moments of calls")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	names := strings.Split(*only, ",")
	p.scenarios = chaos.Select(names, false)
	if flags.NArg() > 0 || len(p.scenarios) != len(names) || p.rounds < 1 || p.cfg.Servers < 2 || p.cfg.Duration <= 0 {
		return nil, fmt.Errorf("arguments %q: give known scenarios, -rounds from 1, -servers from 2, and nothing else", args)
	}
	if i := slices.IndexFunc(p.scenarios, func(sc chaos.Scenario) bool { return sc.Native }); i >= 0 {
		return nil, fmt.Errorf("-only %q: %s is for servers of Rollcall alone: leave it out", *only, p.scenarios[i].Name)
	}
	return p, nil
}

// A system is one of those that are compared.
type system struct {
	name      string
	serve     string // the hidden command of its servers
	newClient func(target string) (chaos.Client, error)
}

var systems = []system{
	{"Rollcall", serveRollcall, chaos.NewRollcall},
	{"grpc-go", serveGRPC, newGRPCClient},
}

// A result is what one system came to in one scenario, a row for each round.
type result struct {
	scenario, system string
	rows             []chaos.Row
}

// run plays all rounds; the systems take turns.
func (p *plan) run(ctx context.Context, stderr io.Writer) ([]result, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var results []result
	for _, sc := range p.scenarios {
		for _, sys := range systems {
			results = append(results, result{scenario: sc.Name, system: sys.name})
		}
	}
	for round := range p.rounds {
		for i, sc := range p.scenarios {
			for j, sys := range systems {
				fmt.Fprintf(stderr, "round %d of %d: %s, %s\n", round+1, p.rounds, sc.Name, sys.name)
				cfg := p.cfg
				cfg.Seed += uint64(round)
				cfg.Server, cfg.Registry = []string{executable, sys.serve}, []string{executable, registry}
				cfg.NewClient, cfg.Scenarios = sys.newClient, []chaos.Scenario{sc}
				report, err := chaos.Run(ctx, cfg)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", sc.Name, sys.name, err)
				}
				r := &results[i*len(systems)+j]
				r.rows = append(r.rows, report.Rows...)
			}
		}
	}
	return results, nil
}
