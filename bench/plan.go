// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
)

// The kinds of output.
const (
	outputMarkdown = "markdown"
	outputTable    = "table"
	outputJSON     = "json"
)

// A plan is what to measure.
type plan struct {
	runs             int
	duration, warmup time.Duration
	workloads        []workload
	systems          []echo.System
	output           string
	hot              bool
	profiles         string // a directory; empty: none
	against          string // the root of another checkout; empty: none
	twins            map[string]twin
}

// parsePlan reads the command line. Errors name the flag, the value and the fix.
func parsePlan(args []string, stderr io.Writer) (*plan, error) {
	p := new(plan)
	var everything, letters []string
	for _, s := range echo.All() {
		everything = append(everything, s.Name)
	}
	for _, w := range workloads() {
		letters = append(letters, w.Name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&p.runs, "runs", 5, "how often to measure everything")
	flags.DurationVar(&p.duration, "duration", 2*time.Second, "of each measurement")
	flags.DurationVar(&p.warmup, "warmup", time.Second, "before each measurement")
	flags.StringVar(&p.output, "o", outputMarkdown, "output: markdown, table or json")
	flags.BoolVar(&p.hot, "hot", false, "keep the cores from halting during workload A (Linux)")
	flags.StringVar(&p.against, "against", "", "`directory` of another checkout, whose systems are measured beside these; -systems is rollcall then")
	flags.StringVar(&p.profiles, "cpuprofile", "", "`directory` for a CPU profile of each process")
	wantWorkloads := flags.String("workloads", strings.Join(letters, ","), "which to measure")
	wantSystems := flags.String("systems", strings.Join(everything, ","), "which to measure")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Compare Rollcall with other RPC systems of Go.\n\n  go run . -runs 3 -workloads A,B -systems r1,r2y,rollcall,grpc-go\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
		}
		return nil, err
	}
	if p.against != "" && *wantSystems == strings.Join(everything, ",") {
		*wantSystems = rollcallName
	}
	return p, p.check(flags.Args(), *wantWorkloads, *wantSystems)
}

// checkCommon checks what every command has.
func (p *plan) checkCommon(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("argument %q: give flags only", rest[0])
	case p.runs < 1:
		return fmt.Errorf("-runs %d: give at least 1", p.runs)
	case p.duration <= 0:
		return fmt.Errorf("-duration %v: give a positive duration, such as 2s", p.duration)
	case p.warmup < 0:
		return fmt.Errorf("-warmup %v: give 0 or more, such as 1s", p.warmup)
	case p.output != outputMarkdown && p.output != outputTable && p.output != outputJSON:
		return fmt.Errorf("-o %q: give %s, %s or %s", p.output, outputMarkdown, outputTable, outputJSON)
	}
	return nil
}

func (p *plan) check(rest []string, wantWorkloads, wantSystems string) error {
	if err := p.checkCommon(rest); err != nil {
		return err
	}
	for name := range strings.SplitSeq(wantWorkloads, ",") {
		w, err := findWorkload(name)
		if err != nil {
			return fmt.Errorf("-workloads: %w", err)
		}
		p.workloads = append(p.workloads, w)
	}
	var err error
	if p.systems, err = echo.Find(strings.Split(wantSystems, ",")...); err != nil {
		return fmt.Errorf("-systems: %w", err)
	}
	return nil
}

func (p *plan) outputKind() string { return p.output }

// run measures everything. The systems' order is turned by one with each run, so
// that none always follows the same one.
func (p *plan) run(ctx context.Context, progress io.Writer) (*report, error) {
	if p.profiles != "" {
		if err := os.MkdirAll(p.profiles, 0o750); err != nil {
			return nil, fmt.Errorf("-cpuprofile: %w", err)
		}
	}
	if p.against != "" {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) // what is left is in the way of nobody
		if err := p.addTwins(ctx, dir); err != nil {
			return nil, err
		}
	}
	rep := newReport(p)
	for number := range p.runs {
		for _, w := range p.workloads {
			if err := p.runWorkload(ctx, number, w, rep, progress); err != nil {
				return nil, err
			}
		}
	}
	return rep, nil
}

func (p *plan) runWorkload(ctx context.Context, number int, w workload, rep *report, progress io.Writer) error {
	if p.hot && w.Name == "A" {
		stop, err := keepAwake(ctx)
		if err != nil {
			return fmt.Errorf("-hot: %w", err)
		}
		defer stop()
	}
	for i := range p.systems {
		s := &p.systems[(i+number)%len(p.systems)]
		if s.Lone && w.Callers > w.Connections {
			continue
		}
		m, err := p.measure(ctx, number, w, s)
		if err != nil {
			return fmt.Errorf("run %d, workload %s, %s: %w", number+1, w.Name, s.Name, err)
		}
		rep.Cells = append(rep.Cells, m)
		fmt.Fprintf(progress, "run %d of %d, %s %-14s %9.0f calls/s, p50 %7.1f µs, p99 %8.1f µs, CPU %6.2f µs\n",
			number+1, p.runs, w.Name, s.Name, m.CallsPerS, m.P50US, m.P99US, m.CPUUS())
	}
	return nil
}
