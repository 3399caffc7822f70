// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

const (
	hotGetBar = 0.6
	hotSetBar = 1.0
	listBar   = 1.0
)

// latencyProbe is one session with one request in flight.
func latencyProbe() Probe {
	return Probe{
		Name: "latency", Hot: true,
		Figures: []Figure{
			{Name: "get, one in flight, p50", Unit: "µs", Bar: hotGetBar},
			{Name: "set, one in flight, p50", Unit: "µs", Bar: hotSetBar},
		},
		run: func(ctx context.Context, b *Bench) ([]float64, error) {
			get, err := b.latency(ctx, func(s *session) (stream, error) { return getStream(s, b) })
			if err != nil {
				return nil, err
			}
			set, err := b.latency(ctx, func(s *session) (stream, error) { return setStream(s, b, 0) })
			return []float64{get, set}, err
		},
	}
}

// listProbe is one session that lists many children, one request in flight.
func listProbe() Probe {
	return Probe{
		Name: "list", Hot: true,
		Figures: []Figure{{Name: "getChildren2, 10,000 children, p50", Unit: "µs", Bar: listBar}},
		run: func(ctx context.Context, b *Bench) ([]float64, error) {
			list, err := b.latency(ctx, func(s *session) (stream, error) { return childrenStream(s, listPath, b.opts.Children) })
			return []float64{list}, err
		},
	}
}

// latency returns the median time to an answer in µs.
func (b *Bench) latency(ctx context.Context, streamOf func(s *session) (stream, error)) (float64, error) {
	s, err := dial(ctx, b.server.Addr)
	if err != nil {
		return 0, err
	}
	st, err := streamOf(s)
	if err != nil {
		s.drop()
		return 0, err
	}
	recorder := new(load.Recorder)
	warm := time.Now().Add(b.opts.Warmup)
	for over := warm.Add(b.opts.Duration); err == nil && ctx.Err() == nil; {
		begun := time.Now()
		if begun.After(over) {
			break
		}
		err = s.ask(st)
		if begun.After(warm) {
			recorder.Add(time.Since(begun))
		}
	}
	return micros(recorder.Quantile(0.5)), errors.Join(err, context.Cause(ctx), s.close())
}

// ask makes the next request of a stream and judges its answer.
func (s *session) ask(st stream) error {
	start := s.begin(st.op())
	s.out, _ = st.next(s.out)
	s.end(start)
	if err := s.flush(); err != nil {
		return err
	}
	h, body, err := s.reply(s.xid)
	if err != nil {
		return err
	}
	return st.check(h, body)
}
