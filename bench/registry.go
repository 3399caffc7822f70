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
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/bench/internal/registry"
)

// A registryPlan is what to measure of registries.
type registryPlan struct {
	runs             int
	duration, warmup time.Duration
	heat             time.Duration
	probes           []registry.Probe
	amounts          registry.Options // of what is counted
	output           string
	binary           string // of rollcall; empty: build it
	profiles         string // a directory; empty: none
}

// parseRegistryPlan reads the command line behind "registry".
func parseRegistryPlan(args []string, stderr io.Writer) (*registryPlan, error) {
	p := &registryPlan{amounts: registry.Full}
	var everything []string
	for _, probe := range registry.Probes() {
		everything = append(everything, probe.Name)
	}
	flags := flag.NewFlagSet("bench registry", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&p.runs, "runs", 5, "how often to measure everything")
	flags.DurationVar(&p.duration, "duration", 2*time.Second, "of each measurement")
	flags.DurationVar(&p.warmup, "warmup", 500*time.Millisecond, "before each measurement")
	flags.DurationVar(&p.heat, "heat", 10*time.Second, "of load before the first measurement, for the JVM to compile")
	flags.StringVar(&p.output, "o", outputMarkdown, "output: markdown, table or json")
	flags.StringVar(&p.binary, "rollcall", "", "the rollcall `program`; empty: build it")
	flags.StringVar(&p.profiles, "cpuprofile", "", "`directory` for a CPU profile of our server over all that is measured, which this program serves then")
	wanted := flags.String("probes", strings.Join(everything, ","), "what to measure")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Compare the embedded registry with Apache ZooKeeper.\n\n  go run . registry -runs 3 -probes go-get,raw-get,latency\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
		}
		return nil, err
	}
	return p, p.check(flags.Args(), *wanted)
}

func (p *registryPlan) check(rest []string, wanted string) error {
	common := plan{runs: p.runs, duration: p.duration, warmup: p.warmup, output: p.output}
	if err := common.checkCommon(rest); err != nil {
		return err
	}
	if p.heat < 0 {
		return fmt.Errorf("-heat %v: give 0 or more, such as 10s", p.heat)
	}
	var err error
	if p.probes, err = registry.FindProbes(wanted); err != nil {
		return fmt.Errorf("-probes: %w", err)
	}
	return nil
}

func (p *registryPlan) outputKind() string { return p.output }

// run measures everything, the systems side by side: each probe with one and
// then the other, in an order that turns with each run.
func (p *registryPlan) run(ctx context.Context, progress io.Writer) (rep *registryReport, err error) {
	if err := registry.ApacheMissing(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-registry-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command, err := p.command(ctx, dir)
	if err != nil {
		return nil, err
	}
	opts := p.amounts
	opts.Dir, opts.Warmup, opts.Duration = dir, p.warmup, p.duration
	var benches []*registry.Bench
	defer func() {
		for _, b := range benches {
			err = errors.Join(err, b.Close())
		}
	}()
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	systems := []registry.System{registry.Rollcall(command...), registry.Apache(), registry.Sockets(executable, socketsServer)}
	for _, system := range systems {
		if !slices.ContainsFunc(p.probes, func(probe registry.Probe) bool { return system.Can(&probe) }) {
			continue
		}
		b, err := registry.NewBench(ctx, system, opts)
		if err != nil {
			return nil, err
		}
		benches = append(benches, b)
		if err := b.Heat(ctx, p.heat); err != nil {
			return nil, fmt.Errorf("%s: %w", system.Name, err)
		}
	}
	rep = newRegistryReport(p, benches)
	for number := range p.runs {
		for i := range p.probes {
			if err := p.runProbe(ctx, number, &p.probes[i], benches, rep, progress); err != nil {
				return nil, err
			}
		}
	}
	return rep, nil
}

func (p *registryPlan) runProbe(ctx context.Context, number int, probe *registry.Probe, benches []*registry.Bench, rep *registryReport, progress io.Writer) error {
	if probe.Once && number > 0 {
		return nil
	}
	if probe.Hot {
		stop, err := keepAwake(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	for i := range benches {
		b := benches[(i+number)%len(benches)]
		if !b.System.Can(probe) {
			continue
		}
		values, err := probe.Run(ctx, b)
		if err != nil {
			return fmt.Errorf("run %d, %s: %w", number+1, b.System.Name, err)
		}
		for j, value := range values {
			f := &probe.Figures[j]
			rep.Samples = append(rep.Samples, registrySample{Run: number, System: b.System.Name, Figure: f.Name, Value: value})
			fmt.Fprintf(progress, "run %d of %d, %-16s  %s: %s\n", number+1, p.runs, b.System.Name, f.Name, strings.TrimSpace(figure(value)+" "+f.Unit))
		}
	}
	return nil
}

// command returns how to start our registry.
func (p *registryPlan) command(ctx context.Context, dir string) ([]string, error) {
	if p.profiles != "" {
		executable, err := os.Executable()
		return []string{executable, registryServer, filepath.Join(p.profiles, "registry")}, errors.Join(err, os.MkdirAll(p.profiles, 0o750))
	}
	if p.binary != "" {
		return []string{p.binary, "registry", "--config"}, nil
	}
	binary := filepath.Join(dir, "rollcall")
	const module = "github.com/rollcall-rpc/rollcall"
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("find %s: %w: run in bench/, or give -rollcall", module, err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/rollcall") //nolint:gosec // what is built is ours
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build rollcall: %w: %s", err, out)
	}
	return []string{binary, "registry", "--config"}, nil
}
