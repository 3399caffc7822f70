// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/tree"
)

// A disk makes batches durable and publishes them, in order, on a goroutine of
// its own: while one is synced, the owner works on the next.
type disk struct {
	s      *Server
	store  *store.Store
	rounds chan *round // to the goroutine
	free   chan *round // back to the owner
	done   chan struct{}

	snapshots sync.WaitGroup
	stopping  atomic.Bool // a snapshot is to be given up
}

// A round is a batch of the owner on its way to the disk.
type round struct {
	items []item
	next  *tree.Tree
	log   store.Batch
	tick  bool // time has passed
}

// roundsAhead is how many batches there are: one is synced, one is made.
const roundsAhead = 2

const (
	// slowSync is from when on a batch that takes long is worth a line in the log
	// (fsync.warningthresholdms).
	slowSync = time.Second
	// keepBatch is the greatest batch whose memory is kept.
	keepBatch = 4 << 20
)

// start begins the goroutine of the disk.
func (d *disk) start() {
	d.rounds = make(chan *round, 1)
	d.free = make(chan *round, roundsAhead)
	for range roundsAhead {
		d.free <- &round{}
	}
	d.done = make(chan struct{})
	d.stopping.Store(false)
	o := &owner{s: d.s}
	go func() {
		defer close(d.done)
		for r := range d.rounds {
			d.commit(o, r)
			clear(r.items)
			if r.log.Size() > keepBatch {
				r.log = store.Batch{}
			}
			r.log.Reset()
			r.next, r.tick = nil, false
			d.free <- r
		}
	}()
}

// stop ends the goroutine behind the last round, and a snapshot at once.
func (d *disk) stop() {
	close(d.rounds)
	<-d.done
	d.stopping.Store(true)
	d.snapshots.Wait()
	if err := d.store.Settle(); err != nil {
		d.s.fail(err)
	}
}

// commit makes a round durable and publishes it. After a failure nothing is
// published any more: the requests of the round are as if never asked.
func (d *disk) commit(o *owner, r *round) {
	err := d.store.Err()
	if err == nil && r.log.Len() > 0 {
		begin := time.Now()
		err = d.store.Append(&r.log)
		took := time.Since(begin)
		d.s.stats.synced(took)
		if took > slowSync {
			d.s.opts.Logger.Warn("the disk is slow", slog.Duration("sync", took), slog.Int("bytes", r.log.Size()))
		}
	}
	if err == nil && r.tick {
		err = d.store.Settle()
	}
	if err != nil {
		d.s.fail(err)
		o.abandon(r.items)
		return
	}
	o.publish(r.next, r.items)
	if d.store.SnapshotDue() {
		d.snapshot(r.next)
	}
}

// snapshot begins to write a version, while others follow.
func (d *disk) snapshot(t *tree.Tree) {
	w, err := d.store.BeginSnapshot(0)
	if err != nil {
		d.s.fail(err)
		return
	}
	d.snapshots.Go(func() {
		switch err := d.writeSnapshot(w, t); {
		case errors.Is(err, errStopping):
		case err != nil:
			d.s.fail(err)
		}
	})
}

var errStopping = errors.New("zkserver: stopping")

// writeSnapshot writes the head of the server and then the tree.
func (d *disk) writeSnapshot(w *store.SnapshotWriter, t *tree.Tree) error {
	begin := time.Now()
	head := d.s.head()
	err := w.Write(head.append(nil))
	if err == nil {
		err = t.WriteSnapshot(func(chunk []byte) error {
			if d.stopping.Load() {
				return errStopping
			}
			return w.Write(chunk)
		})
	}
	if err != nil {
		w.Abort()
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	took := time.Since(begin)
	d.s.stats.snapshotted(took)
	d.s.opts.Logger.Info("snapshot written", slog.Int("znodes", t.Len()), slog.Duration("took", took))
	return nil
}

// fail ends everything for good: what the disk holds is not known any more, so
// nobody shall be told anything. The connections are closed, every Serve
// returns err.
func (s *Server) fail(err error) {
	s.mu.Lock()
	if s.fatal != nil {
		s.mu.Unlock()
		return
	}
	s.fatal = fmt.Errorf("zkserver: %w", err)
	close(s.failed)
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	for sv := range s.serves {
		sv.stopping = true
		sv.cancel()
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.out.kill()
	}
	s.opts.Logger.Error("the data cannot be kept, stopping", slog.Any("error", err))
	if s.opts.OnFatal != nil {
		s.opts.OnFatal(s.fatal)
	}
}

// abandon lets go of requests that will not be answered.
func (o *owner) abandon(items []item) {
	for i := range items {
		it := &items[i]
		if it.conn != nil {
			it.conn.out.mu.Lock()
			it.conn.out.answered()
			it.conn.out.mu.Unlock()
		}
		if it.done != nil {
			it.done <- false
		}
	}
}
