// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

const (
	startBar    = 0.1
	idleBar     = 0.3
	znodesLimit = 1000 // MB
	// settleTime is how long a server is left alone before its memory is read.
	settleTime = time.Second
	megabyte   = 1e6
	// fanOut is how many children each node of the large tree has.
	fanOut = 1000
)

// startProbe is a new process with an empty directory: how long until it answers
// a new session, and how much memory it takes then.
func startProbe() Probe {
	return Probe{
		Name: "start", Fresh: true,
		Figures: []Figure{
			{Name: "start to the first answer", Unit: "ms", Bar: startBar},
			{Name: "idle memory (RSS)", Unit: "MB", Bar: idleBar},
		},
		run: func(ctx context.Context, b *Bench) ([]float64, error) {
			v, err := b.System.Start(ctx, b.opts.Dir)
			if err != nil {
				return nil, err
			}
			err = pause.For(ctx, settleTime)
			rss, _, rssErr := v.RSS()
			return []float64{micros(v.Started) / 1000, float64(rss) / megabyte}, errors.Join(err, rssErr, v.Stop())
		},
	}
}

// znodesProbe is a new process that is given many nodes.
func znodesProbe() Probe {
	return Probe{
		Name: "znodes", Fresh: true, Once: true,
		Figures: []Figure{
			{Name: "memory (RSS) with 1,000,000 znodes of 128 B", Unit: "MB", Limit: znodesLimit},
			{Name: "the most while they were created", Unit: "MB"},
		},
		run: func(ctx context.Context, b *Bench) (values []float64, err error) {
			v, err := b.System.Start(ctx, b.opts.Dir)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, v.Stop()) }()
			if err := b.fill(ctx, v); err != nil {
				return nil, err
			}
			if err := pause.For(ctx, settleTime); err != nil {
				return nil, err
			}
			now, most, err := v.RSS()
			return []float64{float64(now) / megabyte, float64(most) / megabyte}, err
		},
	}
}

// fill creates the nodes of the large tree, the same number by each session.
func (b *Bench) fill(ctx context.Context, v *Server) error {
	var all []*session
	for range sessions {
		s, err := dial(ctx, v.Addr)
		if err != nil {
			return err
		}
		defer s.drop()
		all = append(all, s)
	}
	share := b.opts.Znodes / sessions
	err := all[0].create("/many", nil)
	for i := 0; err == nil && i < b.opts.Znodes; i += fanOut {
		err = all[0].create(fmt.Sprintf("/many/p%d", i/fanOut), nil)
	}
	if err != nil {
		return err
	}
	next := make(chan int, sessions)
	for i := range sessions {
		next <- i
	}
	return everyone(all, func(s *session) error {
		i := <-next
		return s.createMany(i*share, (i+1)*share, b.data)
	})
}

// createMany creates the nodes with the numbers from first to before end.
func (s *session) createMany(first, end int, data []byte) error {
	for i := first; i < end; {
		last := min(end, (i/fanOut+1)*fanOut)
		n := &names{parent: fmt.Sprintf("/many/p%d", i/fanOut), limit: int64(last)}
		n.last.Store(int64(i))
		if err := s.createAll(n, data); err != nil {
			return err
		}
		i = last
	}
	return nil
}

// createAll creates all nodes of some names.
func (s *session) createAll(n *names, data []byte) error {
	return pipelined(s, creates(n, data), inFlight)(&lap{stopped: new(atomic.Bool)})
}
