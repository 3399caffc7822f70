// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// A worker makes requests until its lap says stop or there are none left, and
// counts those that were answered rightly.
type worker func(l *lap) error

// A lap is what a worker knows of the measurement.
type lap struct {
	stopped *atomic.Bool
	done    atomic.Int64 // requests
	_       [48]byte     // workers do not disturb each other
}

func (l *lap) stop() bool { return l.stopped.Load() }

var errNoAnswer = errors.New("no request was answered")

// A pace is what a window showed.
type pace struct {
	perS  float64 // requests per second
	cpuUS float64 // server's CPU time per request in µs
}

// window lets workers work: warmup that does not count, then what is measured,
// which ends early if there is nothing left to be done. It returns when all of
// them have.
func window(ctx context.Context, v *Server, warmup, duration time.Duration, workers []worker) (pace, error) {
	var stopped atomic.Bool
	laps := make([]lap, len(workers))
	errs := make([]error, len(workers))
	var all sync.WaitGroup
	for i, work := range workers {
		laps[i].stopped = &stopped
		all.Go(func() {
			if errs[i] = work(&laps[i]); errs[i] != nil {
				stopped.Store(true)
			}
		})
	}
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		all.Wait()
		cancel()
	}()
	pause.For(working, warmup) //nolint:errcheck // what ended it is told below
	from, fromErr := read(v, laps)
	pause.For(working, duration) //nolint:errcheck // what ended it is told below
	to, toErr := read(v, laps)
	stopped.Store(true)
	all.Wait()
	err := errors.Join(errors.Join(errs...), fromErr, toErr, context.Cause(ctx))
	n := float64(to.done - from.done)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w within %v: give a longer -duration", errNoAnswer, duration)
	}
	if err != nil {
		return pace{}, err
	}
	return pace{perS: n / to.at.Sub(from.at).Seconds(), cpuUS: micros(to.cpu-from.cpu) / n}, nil
}

// An instant is what is read at an edge of the window.
type instant struct {
	at   time.Time
	cpu  time.Duration
	done int64
}

func read(v *Server, laps []lap) (instant, error) {
	var n int64
	for i := range laps {
		n += laps[i].done.Load()
	}
	cpu, err := v.CPU()
	return instant{time.Now(), cpu, n}, err
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
