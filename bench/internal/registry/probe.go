// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// A Figure is one line of the table.
type Figure struct {
	Name string
	Unit string
	// Bar is what the ratio to Apache ZooKeeper should be at most, or at least if
	// More is better. 0: there is none.
	Bar  float64
	More bool
	// Limit is what the figure itself should be at most. 0: there is none.
	Limit float64
}

// Met reports whether a figure of ours and its ratio hold what is asked for.
func (f *Figure) Met(value, ratio float64) bool {
	switch {
	case f.Limit > 0:
		return value <= f.Limit
	case f.Bar == 0:
		return true
	case f.More:
		return ratio >= f.Bar
	}
	return ratio <= f.Bar
}

// Options say how long and how much is measured.
type Options struct {
	Dir              string        // for data
	Warmup, Duration time.Duration // of each window
	Rounds           int           // of watchers, lists
	Watchers         int
	Children         int // of the long list
	Znodes           int // of the large tree
}

// Full is how much is measured where nothing else is asked for: what the names of
// the figures say.
var Full = Options{Rounds: 30, Watchers: 1000, Children: 10_000, Znodes: 1_000_000}

const (
	sessions   = 8
	inFlight   = 16
	dataSize   = 128
	shortList  = 10
	benchPath  = "/bench"
	shortPath  = benchPath + "/short"
	listPath   = benchPath + "/list"
	watchPath  = benchPath + "/watched"
	namePrefix = "instance-"
)

// A Probe measures some figures.
type Probe struct {
	Name    string
	Figures []Figure
	Hot     bool // with cores that are kept from halting
	Once    bool // in the first run alone
	Sockets bool // the system of that name can answer it
	// run measures a server that is prepared, or starts one if Fresh.
	Fresh bool
	run   func(ctx context.Context, b *Bench) ([]float64, error)
}

// Run measures and returns a value for each figure.
func (p *Probe) Run(ctx context.Context, b *Bench) ([]float64, error) {
	values, err := p.run(ctx, b)
	if err == nil && len(values) != len(p.Figures) {
		err = fmt.Errorf("%d values for %d figures", len(values), len(p.Figures))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return values, nil
}

// Probes returns everything that can be measured, in the order of the table.
func Probes() []Probe {
	var all []Probe
	all = append(all, loadProbes()...)
	return append(all, latencyProbe(), listProbe(), watchProbe(), startProbe(), znodesProbe())
}

// FindProbes returns those with that names, separated by commas.
func FindProbes(names string) ([]Probe, error) {
	var found []Probe
	for name := range strings.SplitSeq(names, ",") {
		var known []string
		before := len(found)
		for _, p := range Probes() {
			known = append(known, p.Name)
			if p.Name == name {
				found = append(found, p)
			}
		}
		if len(found) == before {
			return nil, fmt.Errorf("probe %q: give some of %s", name, strings.Join(known, ","))
		}
	}
	return found, nil
}

// A Bench is a system under measurement.
type Bench struct {
	System System
	opts   Options
	server *Server // prepared
	data   []byte
	serial int // of parents
}

// NewBench starts and prepares a server of the system. It must be closed.
func NewBench(ctx context.Context, system System, opts Options) (*Bench, error) {
	b := &Bench{System: system, opts: opts, data: payload(dataSize)}
	var err error
	if b.server, err = system.Start(ctx, opts.Dir); err != nil {
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		b.Close() // what failed before is told
		return nil, fmt.Errorf("%s: prepare: %w", system.Name, err)
	}
	return b, nil
}

// Close ends the server.
func (b *Bench) Close() error { return b.server.Stop() }

// payload returns n bytes that are not all alike.
func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i/math.MaxUint8)
	}
	return p
}

func (b *Bench) prepare(ctx context.Context) error {
	s, err := dial(ctx, b.server.Addr)
	if err != nil {
		return err
	}
	for _, path := range []string{benchPath, shortPath, listPath, watchPath} {
		if err := s.create(path, b.data); err != nil {
			return err
		}
	}
	for i := range sessions {
		if err := s.create(setPath(i), b.data); err != nil {
			return err
		}
	}
	for i := range shortList {
		if err := s.create(fmt.Sprintf("%s/%s%d", shortPath, namePrefix, i), b.data); err != nil {
			return err
		}
	}
	if err := s.createAll(&names{parent: listPath, limit: int64(b.opts.Children)}, b.data); err != nil {
		return err
	}
	return s.close()
}

func setPath(i int) string { return fmt.Sprintf("%s/set%d", benchPath, i) }

// parent makes a node for others to be created below.
func (b *Bench) parent(ctx context.Context) (string, error) {
	s, err := dial(ctx, b.server.Addr)
	if err != nil {
		return "", err
	}
	b.serial++
	path := fmt.Sprintf("%s/p%d", benchPath, b.serial)
	if err := s.create(path, nil); err != nil {
		return "", err
	}
	return path, s.close()
}

// Heat makes requests of all kinds for about that long, for a JVM to compile what
// is measured later.
func (b *Bench) Heat(ctx context.Context, d time.Duration) error {
	opts := b.opts
	defer func() { b.opts = opts }()
	probes := loadProbes()
	b.opts.Warmup, b.opts.Duration = 0, d/time.Duration(len(probes))
	for i := range probes {
		if !b.System.Can(&probes[i]) {
			continue
		}
		if _, err := probes[i].Run(ctx, b); err != nil && !errors.Is(err, errNoAnswer) {
			return fmt.Errorf("heat: %w", err)
		}
	}
	return nil
}
