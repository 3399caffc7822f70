// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// reapChunk is how many nodes the owner is asked to remove at a time, so that
// clients' requests get in between.
const reapChunk = 500

// A reaper is the goroutine that finds containers and nodes with a time to live
// that have ended, and has the owner remove them: the owner looks again, and the
// removal is a transaction like any other. Source: ContainerManager.
type reaper struct {
	s    *Server
	stop chan struct{}
}

// startReaper starts the reaper, which must be stopped before the owner is.
func (s *Server) startReaper() (stop func()) {
	if s.opts.ContainerCheckInterval < 0 {
		return func() {}
	}
	r := &reaper{s: s, stop: make(chan struct{})}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.run()
	}()
	return func() {
		close(r.stop)
		<-stopped
	}
}

func (r *reaper) run() {
	for {
		select {
		case <-r.s.opts.Clock.After(r.s.opts.ContainerCheckInterval):
			r.reap()
		case <-r.stop:
			return
		}
	}
}

// reap removes what has ended, as far as the limit per minute allows; the next
// round finds the rest.
func (r *reaper) reap() {
	s := r.s
	left := max(1, int(float64(s.opts.ContainerMaxPerMinute)*min(1, s.opts.ContainerCheckInterval.Minutes())))
	var paths []string
	s.version.Load().Ended(s.opts.Clock.Now().UnixMilli(), s.rules(), func(path string) bool {
		paths = append(paths, path)
		return len(paths) < left
	})
	for len(paths) > 0 {
		n := min(len(paths), reapChunk)
		if !r.remove(paths[:n]) {
			return
		}
		paths = paths[n:]
	}
}

// remove has the owner remove nodes, waits until it has, and reports whether
// there is more to do.
func (r *reaper) remove(paths []string) bool {
	items := make([]item, len(paths))
	for i, path := range paths {
		items[i].req = tree.Request{Op: tree.OpReap, Path: path}
	}
	done := make(chan bool, 1)
	items[len(items)-1].done = done
	if !r.s.queue.pushUrgent(items...) {
		return false
	}
	select {
	case <-done:
		return true
	case <-r.stop:
		return false
	}
}

// rules is what the options say about requests.
func (s *Server) rules() tree.Rules {
	return tree.Rules{
		ExtendedTypes:   s.opts.ExtendedTypes,
		EnforceQuota:    s.opts.EnforceQuota,
		DigestDisabled:  s.opts.DigestDisabled,
		ReconfigEnabled: s.opts.ReconfigEnabled,
		NeverUsedMillis: int64(s.opts.ContainerMaxNeverUsed / time.Millisecond),
	}
}
