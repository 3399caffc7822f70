// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"sync"
	"sync/atomic"
	"time"
)

// stats counts what the four-letter words tell of the whole server.
type stats struct {
	expired   atomic.Int64 // sessions
	rejected  atomic.Int64 // connections, over a limit
	ahead     atomic.Int64 // connections of clients that had seen a later zxid
	connected atomic.Int64 // handshakes
	silent    atomic.Int64 // connections without a handshake in time
	tooLarge  atomic.Int64 // requests
	unproven  atomic.Int64 // authentications that failed
	slowed    atomic.Int64 // authentications that had to wait

	wrongPasswords atomic.Int64 // of sessions and of the super user

	mu    sync.Mutex // guards what follows; nothing else is locked while it is held
	total tally
	disk  diskTally
}

// counts returns what happened since the server was made.
func (s *stats) counts() CountState {
	return CountState{
		Handshakes: s.connected.Load(), Refused: s.rejected.Load(), Ahead: s.ahead.Load(), Silent: s.silent.Load(),
		SessionsExpired: s.expired.Load(), RequestsTooLarge: s.tooLarge.Load(), AuthFailures: s.unproven.Load(),
		WrongPasswords: s.wrongPasswords.Load(), Slowed: s.slowed.Load(),
	}
}

// A diskTally is how long the disk took, in ns.
type diskTally struct{ syncs, snapshots spread }

// synced and snapshotted note what the disk has done.
func (s *stats) synced(took time.Duration) {
	s.mu.Lock()
	s.disk.syncs.add(int64(took))
	s.mu.Unlock()
}

func (s *stats) snapshotted(took time.Duration) {
	s.mu.Lock()
	s.disk.snapshots.add(int64(took))
	s.mu.Unlock()
}

// add adds what was counted elsewhere, and begins it anew.
func (s *stats) add(t *tally) {
	s.mu.Lock()
	s.total.merge(t)
	s.mu.Unlock()
	*t = tally{}
}

func (s *stats) get() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *stats) getDisk() diskTally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk
}

// reset forgets packets and latencies, and nothing else.
func (s *stats) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total, s.disk = tally{}, diskTally{}
}

// A tally counts packets and how long they took. Whoever handles many keeps one
// of his own and adds it to the stats now and then.
type tally struct {
	received, sent int64
	bytesReceived  int64
	watchBytes     int64
	sizes          spread // of replies in bytes
	reads, writes  spread // latencies in ns
}

func (t *tally) merge(o *tally) {
	t.received += o.received
	t.sent += o.sent
	t.bytesReceived += o.bytesReceived
	t.watchBytes += o.watchBytes
	t.sizes.merge(&o.sizes)
	t.reads.merge(&o.reads)
	t.writes.merge(&o.writes)
}

// state returns what there is to tell of the packets.
func (t *tally) state() TrafficState {
	all := t.latency()
	return TrafficState{
		Received: t.received, Sent: t.sent, ReceivedBytes: t.bytesReceived, NotificationBytes: t.watchBytes,
		Replies: t.sizes.count, ReplyBytes: t.sizes.sum,
		MinReplyBytes: t.sizes.least, MaxReplyBytes: t.sizes.most, LastReplyBytes: t.sizes.last,
		Latency: all.state(), Reads: t.reads.state(), Writes: t.writes.state(),
	}
}

// latency returns the latencies of reads and writes together.
func (t *tally) latency() spread {
	all := t.reads
	all.merge(&t.writes)
	return all
}

// A spread is what is kept of many values.
type spread struct{ count, sum, least, most, last int64 }

func (s *spread) add(v int64) { s.addTimes(v, 1) }

// addTimes adds n values that are the same.
func (s *spread) addTimes(v, n int64) {
	if n > 0 {
		s.merge(&spread{count: n, sum: n * v, least: v, most: v, last: v})
	}
}

func (s *spread) merge(o *spread) {
	switch {
	case o.count == 0:
		return
	case s.count == 0:
		*s = *o
		return
	}
	s.count += o.count
	s.sum += o.sum
	s.least, s.most, s.last = min(s.least, o.least), max(s.most, o.most), o.last
}

// state returns the spread of durations in ns.
func (s *spread) state() MeasureState {
	const ms = float64(time.Millisecond)
	st := MeasureState{
		Count: s.count, MinMS: float64(s.least) / ms, MaxMS: float64(s.most) / ms,
		LastMS: float64(s.last) / ms, SumMS: float64(s.sum) / ms,
	}
	if s.count > 0 {
		st.AvgMS = float64(s.sum) / float64(s.count) / ms
	}
	return st
}
