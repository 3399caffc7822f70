// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// Config says what [Run] does. Every field without "none" or "nil" in its comment
// must be given.
type Config struct {
	Server   []string // the command of a server, see ServerOptions; flags are appended
	Registry []string // the command of the embedded registry; flags are appended

	// Target is a registry that is there already; Members are the processes of one
	// that the suite starts. None: the embedded one.
	Target  discovery.Target
	Members []Member

	NewClient func(target string) (Client, error) // nil: NewRollcall

	Servers  int
	Rate     float64       // of the open loop, calls per second; 0: none
	Callers  int           // of the closed loop; 0: none
	Duration time.Duration // of the window in which latencies count, from when it strikes
	MaxWait  time.Duration // that a call may last
	Seed     uint64

	Scenarios []Scenario
	Progress  func(*Row) // told of each row once it is there; nil: nobody is

	// Stderr takes what servers log. What is no file is written to by one at a
	// time.
	Stderr io.Writer
}

// A notPermittedError is why this machine does not let a scenario be set up.
type notPermittedError struct{ err error }

func (e *notPermittedError) Error() string { return "not permitted here: " + e.err.Error() }
func (e *notPermittedError) Unwrap() error { return e.err }

// rightLimit is how long a list may take to be right again: a session that
// expires, or a server that was ejected twice, and time to spare.
const rightLimit = 60 * time.Second

// Run plays the scenarios. Its error means that one could not be played to its
// end; what was seen until then is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	report := Report{Seed: cfg.Seed}
	if cfg.NewClient == nil {
		cfg.NewClient = NewRollcall
	}
	if _, file := cfg.Stderr.(*os.File); !file {
		cfg.Stderr = &serialWriter{w: cfg.Stderr}
	}
	dir, err := os.MkdirTemp("", "rollcall-chaos-")
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(dir) // it is a temporary directory
	reg, err := openRegistry(ctx, &cfg, dir)
	if err == nil {
		err = playAll(ctx, &cfg, reg, dir, &report)
	}
	return report, errors.Join(err, reg.close())
}

func playAll(ctx context.Context, cfg *Config, reg *registry, dir string, report *Report) error {
	for i := range cfg.Scenarios {
		sc := &cfg.Scenarios[i]
		row := Row{Scenario: sc.Name}
		if sc.needs != nil {
			row.Skipped = sc.needs(cfg)
		}
		var err error
		if row.Skipped == "" {
			err = play(ctx, cfg, sc, reg, dir, &row)
		}
		// Only the attempt shows what this machine permits.
		if refused, ok := errors.AsType[*notPermittedError](err); ok {
			row.Skipped, err = refused.Error(), nil
		}
		if err != nil {
			return fmt.Errorf("scenario %s: %w", sc.Name, err)
		}
		report.Rows = append(report.Rows, row)
		if cfg.Progress != nil {
			cfg.Progress(&row)
		}
	}
	return nil
}

// play plays one scenario and fills its row.
func play(ctx context.Context, cfg *Config, sc *Scenario, reg *registry, dir string, row *Row) error {
	// Closed whatever became of it: what was started before it failed is there.
	s, err := openStage(ctx, cfg, sc, reg, dir)
	defer s.close()
	if err != nil {
		return err
	}
	t := &traffic{
		ledger: newLedger(), open: s.clients[0], closed: s.clients[1],
		rate: cfg.Rate, callers: cfg.Callers, seed: cfg.Seed,
	}
	s.traffic = t
	calling, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { t.run(calling) })
	err = s.perform(ctx, t.ledger)
	stop()
	running.Wait()
	if err != nil {
		return err
	}
	return s.judge(t.ledger, row)
}

// perform is what happens while the load is on.
func (s *stage) perform(ctx context.Context, l *ledger) error {
	if err := pause.For(ctx, s.cfg.Duration/2); err != nil { // what was before
		return err
	}
	if s.cfg.Rate > 0 { // on a machine that is short of CPU there was nothing yet
		if err := l.awaitOpen(ctx, func() time.Duration { return time.Since(l.epoch) / 2 }); err != nil {
			return err
		}
	}
	if err := s.scenario.play(ctx, s); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, rightLimit)
	defer cancel()
	at, err := s.awaitRight(bounded)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil: // the scenario was played, and this is what it found
		entries, listErr := s.registry.list(ctx, s.scenario.Name)
		s.wrong = fmt.Errorf("%w; the registry holds %q, %v", err, entries, listErr) //nolint:errorlint // it may be nil
	default:
		right := max(at.Sub(s.healed), 0)
		s.right = &right
	}
	if err := pause.For(ctx, max(time.Until(s.struck.Add(s.cfg.Duration)), s.cfg.Duration/10)); err != nil || s.cfg.Rate == 0 {
		return err
	}
	return l.awaitOpen(ctx, func() time.Duration { return s.struck.Sub(l.epoch) })
}

// Select returns the scenarios of the given names, in the order in which they are
// played; none: all, or those of the short form.
func Select(names []string, short bool) []Scenario {
	return slices.DeleteFunc(slices.Clone(Scenarios), func(sc Scenario) bool {
		if len(names) > 0 {
			return !slices.Contains(names, sc.Name)
		}
		return short && !sc.Short
	})
}
