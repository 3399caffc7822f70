// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/tree"
)

// An owner is the goroutine that changes the tree. Where there is a disk, its
// goroutine has an owner of its own, of which it uses what publishes.
type owner struct {
	s       *Server
	tip     *tree.Tree // the newest version; not published yet if there is a disk
	touched []*conn    // were sent something by the batch at work
	round   uint64     // of the batch at work
	rd      reading    // the read at work; here, for it would be allocated each time
	quotas  quotaLog
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
	if s.disk != nil {
		s.disk.start()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	o := &owner{s: s, tip: s.version.Load()}
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
	r := o.nextRound(&round{})
	last, next := clock.Now(), clock.After(tick)
	for {
		select {
		case <-o.s.queue.wake:
			r.items = o.s.queue.take(r.items)
		case <-next:
			now := clock.Now()
			o.s.forgive(now.Sub(last))
			r.items, r.tick = append(r.items[:0], o.s.overdue()...), true
			o.work(r)
			r = o.nextRound(r)
			// Only now: who turns the clock takes the next wait for a sign that what
			// was due is done.
			last, next = now, clock.After(tick)
			continue
		case <-stop:
			r.items = o.s.queue.stop()
			o.work(r)
			return
		}
		o.work(r)
		r = o.nextRound(r)
	}
}

// nextRound returns the round to work on after r. Where there is a disk, that is
// the one that it has done with: until then, requests gather in the queue.
func (o *owner) nextRound(r *round) *round {
	if d := o.s.disk; d != nil {
		return <-d.free
	}
	clear(r.items)
	r.tick = false
	return r
}

// forgive stops the sessions' time for as long as the process did: after a
// pause their requests may wait unread, and shall be read before anybody is
// taken for dead. elapsed is the time since the last tick.
func (s *Server) forgive(elapsed time.Duration) {
	if late := elapsed - s.opts.TickTime; late > s.opts.TickTime/2 {
		s.stalled.Add(int64(late))
	}
}

// work carries out a batch: apply, commit, publish, tell. Where there is a disk,
// that does the rest, in the order of the batches.
func (o *owner) work(r *round) {
	s := o.s
	if len(r.items) > 0 {
		batch := o.tip.Begin()
		batch.Rules = s.rules()
		now := s.opts.Clock.Now().UnixMilli()
		for i := range r.items {
			s.apply(batch, &r.items[i], now)
		}
		o.tip = batch.Commit()
		o.quotas.warn(s, batch.Overruns())
		if s.disk != nil {
			r.encode(batch.Txns())
		}
	}
	r.next = o.tip
	switch {
	case s.disk != nil:
		s.disk.rounds <- r
	case len(r.items) > 0:
		o.publish(r.next, r.items)
	}
}

// encode fills the batch for the log.
func (r *round) encode(txns []tree.Txn) {
	for i := range txns {
		txn := &txns[i]
		r.log.Add(txn.Zxid, func(b []byte) []byte { return tree.AppendTxn(b, txn) })
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
	for _, c := range o.touched {
		c.out.kick()
	}
	o.rd = reading{}
	clear(o.touched)
	o.touched = o.touched[:0]
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
