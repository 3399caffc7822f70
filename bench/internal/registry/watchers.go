// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/load"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

const (
	watchTimeBar = 0.6
	watchCPUBar  = 0.3
	// watcherBuffer is the read buffer of a watcher.
	watcherBuffer = 1 << 10
)

// watchProbe is how long a create takes to reach the last of many sessions that
// watch the parent's list.
func watchProbe() Probe {
	return Probe{
		Name: "watchers", Sockets: true,
		Figures: []Figure{
			{Name: "create to the last of 1000 watchers told, p50", Unit: "ms", Bar: watchTimeBar},
			{Name: "the same, server CPU", Unit: "ms", Bar: watchCPUBar},
		},
		run: func(ctx context.Context, b *Bench) ([]float64, error) { return b.watch(ctx) },
	}
}

func (b *Bench) watch(ctx context.Context) (values []float64, err error) {
	writer, err := dial(ctx, b.server.Addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, writer.close()) }()
	watchers := make([]*session, b.opts.Watchers)
	defer func() {
		for _, w := range watchers {
			if w != nil {
				err = errors.Join(err, w.close())
			}
		}
	}()
	for i := range watchers {
		if watchers[i], err = dialSized(ctx, b.server.Addr, watcherBuffer); err != nil {
			return nil, err
		}
	}
	times := new(load.Recorder)
	var cpu time.Duration
	for range b.opts.Rounds {
		if err := everyone(watchers, (*session).leaveWatch); err != nil {
			return nil, err
		}
		took, used, err := b.tell(writer, watchers)
		if err != nil {
			return nil, err
		}
		times.Add(took)
		cpu += used
	}
	millis := func(d time.Duration) float64 { return micros(d) / 1000 }
	return []float64{millis(times.Quantile(0.5)), millis(cpu) / float64(b.opts.Rounds)}, nil
}

// tell creates a node, and waits until every watcher knows; then it deletes it.
func (b *Bench) tell(writer *session, watchers []*session) (took, cpu time.Duration, err error) {
	const path = watchPath + "/node"
	before, err := b.server.CPU()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	told := make(chan error, 1)
	go func() { told <- everyone(watchers, (*session).told) }()
	err = writer.create(path, nil)
	err = errors.Join(err, <-told)
	took = time.Since(begun)
	after, cpuErr := b.server.CPU()
	if err = errors.Join(err, cpuErr); err != nil {
		return 0, 0, err
	}
	return took, after - before, writer.call(jute.OpDelete, &jute.PathVersionRequest{Path: path, Version: jute.AnyVersion}, nil)
}

// everyone calls f for all sessions at the same time.
func everyone(all []*session, f func(*session) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() { errs[i] = f(s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// leaveWatch reads the list and watches it.
func (s *session) leaveWatch() error {
	var resp jute.GetChildren2Response
	return s.call(jute.OpGetChildren2, &jute.PathWatchRequest{Path: watchPath, Watch: true}, &resp)
}

// told waits for the notification.
func (s *session) told() error {
	if err := s.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, body, err := s.reply(jute.XidNotification)
	if err != nil {
		return err
	}
	d := jute.NewDecoder(body)
	var e jute.WatcherEvent
	e.Decode(&d)
	if d.Err() != nil || e.Type != jute.EventNodeChildrenChanged || e.Path != watchPath {
		return fmt.Errorf("got %+v, %v; want that the children of %s changed", e, d.Err(), watchPath) //nolint:errorlint // it may be nil
	}
	return nil
}
