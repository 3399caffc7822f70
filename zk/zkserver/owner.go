// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"runtime"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// An owner is the goroutine that changes the tree.
type owner struct {
	s       *Server
	touched []*conn // were sent something by the batch at work
	round   uint64  // of the batch at work
	rd      reading // the read at work; here, for it would be allocated each time
	quotas  quotaLog
	batch   tree.Batch
	tally   tally // of the batch at work
}

// startOwner starts the owner and gives every session its full timeout. Called
// with life and mu held.
func (s *Server) startOwner() {
	now := s.sessionNow()
	for _, sess := range s.sessions {
		sess.touched.Store(now)
	}
	s.queue.start()
	stop, stopped := make(chan struct{}), make(chan struct{})
	o := &owner{s: s}
	go func() {
		defer close(stopped)
		o.run(stop)
	}()
	stopReaper := s.startReaper()
	s.stopOwner = func() {
		stopReaper()
		close(stop)
		<-stopped
		if s.disk != nil {
			s.disk.stop()
		}
	}
}

// run works until stop is closed, and then through what has been pushed.
func (o *owner) run(stop <-chan struct{}) {
	clock, tick := o.s.opts.Clock, o.s.opts.TickTime
	last, next := clock.Now(), clock.After(tick)
	var items []item
	for {
		select {
		case <-o.s.queue.wake:
			runtime.Gosched() // whose requests are read already shall share the sync
			items = o.s.queue.take(items)
			o.work(items, false)
		case <-next:
			now := clock.Now()
			o.s.forgive(now.Sub(last))
			items = append(items[:0], o.s.overdue()...)
			o.work(items, true)
			// Only now: who turns the clock takes the next wait for a sign that what
			// was due is done.
			last, next = now, clock.After(tick)
		case <-stop:
			o.work(o.s.queue.stop(), false)
			return
		}
		clear(items)
	}
}

// forgive stops the sessions' time for as long as the process did: after a
// pause their requests may wait unread, and shall be read before anybody is
// taken for dead. elapsed is the time since the last tick.
func (s *Server) forgive(elapsed time.Duration) {
	if late := elapsed - s.opts.TickTime; late > s.opts.TickTime/2 {
		s.stalled.Add(int64(late))
	}
}

// work carries out a batch: apply, commit, publish, tell. While it does, requests
// gather for the next one: the slower the disk, the more of them share a sync.
// After a failure of the disk nothing is published any more: the requests are as
// if never asked. A tick says that time has passed.
func (o *owner) work(items []item, tick bool) {
	s := o.s
	batch := &o.batch
	batch.Reset(s.version.Load())
	batch.Rules = s.rules()
	now := s.opts.Clock.Now().UnixMilli()
	for i := range items {
		s.apply(batch, &items[i], now)
	}
	next := batch.Commit()
	o.quotas.warn(s, batch.Overruns())
	if s.disk != nil {
		if err := s.disk.commit(batch.Txns(), tick); err != nil {
			s.fail(err)
			o.abandon(items)
			return
		}
	}
	if len(items) > 0 { // a version without items is the one that is there
		o.publish(next, items)
	}
	if s.disk != nil && s.disk.store.SnapshotDue() {
		s.disk.snapshot(next)
	}
}

// apply carries out a request on the version in the making, or notes what a read
// shall see.
func (s *Server) apply(b *tree.Batch, it *item, now int64) {
	if it.handler != nil && it.handler.read != nil {
		it.view = b.Snapshot()
		return
	}
	it.out = b.Do(&it.req, b.Zxid()+1, now)
	if it.endsSession() {
		s.markEnding(it.req.Session)
	}
}

// endsSession reports whether the item has ended a session.
func (it *item) endsSession() bool { return it.req.Op == jute.OpCloseSession && it.out.Err == 0 }

// publish makes a version the one that everybody reads, and sends the events and
// replies of its batch in order.
func (o *owner) publish(next *tree.Tree, items []item) {
	s := o.s
	o.round++
	now := s.sessionNow()
	// They are committed: who waits in a handshake to be told of the end of a
	// session may be told.
	for i := range items {
		if items[i].endsSession() {
			s.dropSession(items[i].req.Session)
		}
	}
	s.pub.Lock()
	s.version.Store(next)
	for i := range items {
		it := &items[i]
		for j := range it.out.Events {
			s.watches.fire(&it.out.Events[j], it.out.Zxid, o)
		}
		o.answer(it, now)
	}
	s.pub.Unlock()
	s.stats.add(&o.tally)
	s.shed()
	// One write for each connection, whatever the batch had for it; without pub, for
	// readers wait for that.
	for _, c := range o.touched {
		c.out.offer()
	}
	o.rd = reading{}
	clear(o.touched)
	o.touched = o.touched[:0]
	o.tellSessions(items) // when the replies are on their way
	for i := range items {
		if items[i].done != nil {
			items[i].done <- items[i].out.Err == 0
		}
	}
}

// touch notes that a connection has something to send.
func (o *owner) touch(c *conn) {
	if c.round != o.round {
		c.round = o.round
		o.touched = append(o.touched, c)
	}
}

// answer queues the reply of a request. Called with pub held in full.
func (o *owner) answer(it *item, now int64) {
	c := it.conn
	if c == nil {
		if it.who != nil && it.out.Err == 0 {
			it.who.disconnect()
		}
		return
	}
	o.touch(c)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.answered()
	if !c.out.open() {
		return
	}
	before, zxid := len(c.out.buf), it.out.Zxid
	switch {
	case it.reply != nil:
		c.out.buf = appendConnectReply(c.out.buf, it.reply)
	case it.view != nil:
		zxid = it.view.Zxid()
		// Its session may have ended in this very batch.
		if _, ok := it.view.Session(it.req.Session); !ok {
			c.out.buf = appendReply(c.out.buf, it.xid, it.view.Zxid(), jute.ErrSessionExpired)
			break
		}
		o.rd = reading{conn: c, view: it.view, d: jute.NewDecoder(it.body)}
		c.out.buf = appendRead(c.out.buf, it.handler, it.xid, &o.rd)
	default:
		c.out.buf = appendWritten(c.out.buf, it.handler, it.xid, &it.out)
	}
	o.replied(it, reply{it.handler, it.xid, zxid}, len(c.out.buf)-before, now)
}
