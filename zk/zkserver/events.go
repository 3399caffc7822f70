// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// Events are functions that are told what happens in a [Server], for monitoring. A
// nil one costs nothing, so that the zero value is none at all.
//
// They are called after the fact, on the goroutine that it happened on; each says
// which. What they take, somebody waits for: they must not block, and must not
// call methods of the Server that wait, which are Close, ExpireSession and Serve.
// No lock is held, and the others may be called. Different functions, and where it
// is said the same one, may be called at the same time.
type Events struct {
	// SessionOpened is told of each new session, once it is certain: a client
	// that comes back to its session opens none, and neither does a server that
	// has found it on its disk. It is called on the goroutine that all writes wait
	// for, in the order of the zxids.
	SessionOpened func(SessionOpenedInfo)
	// SessionClosed is told of each session that has ended, when its ephemeral
	// nodes are gone. It is called on the same goroutine as SessionOpened.
	SessionClosed func(SessionClosedInfo)
	// SnapshotWritten is told of each snapshot, also of one that could not be
	// written, but not of one that was given up for the server's end. It is called
	// on the goroutine that wrote it, one snapshot after the other: for the first
	// one of a new data directory that is the one that called New, for one that
	// could not be begun the one that all writes wait for.
	SnapshotWritten func(SnapshotInfo)
	// SlowDisk is told of each batch of transactions that took longer than 1 s to
	// be appended to the log and synced. It is called on the goroutine that all
	// writes wait for.
	SlowDisk func(SlowDiskInfo)
	// ConnectionRefused is told of each connection that the server turned away, or
	// closed for a limit. It is called on the goroutine that accepts, on that of a
	// connection or on the one that all writes wait for: several calls may be under
	// way.
	ConnectionRefused func(RefusedInfo)
}

// Tee returns events that tell both a and b, in this order.
func Tee(a, b Events) Events {
	return Events{
		SessionOpened:     both(a.SessionOpened, b.SessionOpened),
		SessionClosed:     both(a.SessionClosed, b.SessionClosed),
		SnapshotWritten:   both(a.SnapshotWritten, b.SnapshotWritten),
		SlowDisk:          both(a.SlowDisk, b.SlowDisk),
		ConnectionRefused: both(a.ConnectionRefused, b.ConnectionRefused),
	}
}

func both[T any](a, b func(T)) func(T) {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(info T) {
		a(info)
		b(info)
	}
}

// A SessionOpenedInfo tells of a new session.
type SessionOpenedInfo struct {
	ID      Hex
	Zxid    Hex           // of the transaction that opened it
	Peer    string        // the client's address
	Timeout time.Duration // negotiated
}

// A SessionClosedInfo tells of a session that has ended.
type SessionClosedInfo struct {
	ID         Hex
	Zxid       Hex  // of the transaction that ended it
	Expired    bool // its client was not heard of in time, or ExpireSession was called; else the client has closed it
	Ephemerals int  // nodes that went with it
}

// A SnapshotInfo tells of a snapshot.
type SnapshotInfo struct {
	Zxid   Hex           // of its version
	Znodes int           // that the version has
	Bytes  int64         // that were written
	Took   time.Duration // to write and to sync it
	Err    error         // why it could not be written; the server stops then, unless it is [store.ErrFull]. nil: it was written
}

// A SlowDiskInfo tells of a batch that took long.
type SlowDiskInfo struct {
	Took         time.Duration
	Transactions int
	Bytes        int   // of the batch
	Err          error // why it could not be written; the server stops then. nil: it was written
}

// A Refusal is why a connection was turned away or closed.
type Refusal string

// The refusals.
const (
	// RefusedLimit is for a limit of [Options], which [RefusedInfo.Limit] names.
	RefusedLimit Refusal = "limit"
	// RefusedSilent is for a first request that was not complete in time.
	RefusedSilent Refusal = "silent"
	// RefusedHandshake is for a first request that is not one of ZooKeeper's
	// protocol.
	RefusedHandshake Refusal = "handshake"
	// RefusedAhead is for a client that has seen a later zxid than the server has:
	// the data was wiped, or replaced by an older one, and the clock set back. It is
	// told that its session has expired.
	RefusedAhead Refusal = "ahead"
	// RefusedSession is for a session that is not there any more, or that is asked
	// for with a wrong password. The client is told that its session has expired.
	RefusedSession Refusal = "session"
	// RefusedAuth is for an authentication that proves nothing.
	RefusedAuth Refusal = "auth"
)

// A RefusedInfo tells of a connection that was turned away or closed.
type RefusedInfo struct {
	Peer   string // the client's address
	Reason Refusal
	Limit  string // the field of [Options]; empty unless Reason is RefusedLimit
	Err    error  // what is wrong with what the client has sent; nil: nothing to add
}

// refused tells that a connection was turned away or closed. Called with no lock
// held.
func (s *Server) refused(c *conn, info RefusedInfo) {
	if f := s.opts.Events.ConnectionRefused; f != nil {
		info.Peer = addressOf(c.nc.RemoteAddr())
		f(info)
	}
}

// tellSessions tells of the sessions that a batch has opened and ended.
func (o *owner) tellSessions(items []item) {
	opened, closed := o.s.opts.Events.SessionOpened, o.s.opts.Events.SessionClosed
	if opened == nil && closed == nil {
		return
	}
	for i := range items {
		it := &items[i]
		switch {
		case it.endsSession() && closed != nil:
			closed(SessionClosedInfo{
				ID: Hex(it.req.Session), Zxid: Hex(it.out.Zxid), Expired: it.who != nil, Ephemerals: it.deletions(),
			})
		case it.reply != nil && it.out.Err == 0 && opened != nil:
			opened(SessionOpenedInfo{
				ID: Hex(it.req.Session), Zxid: Hex(it.out.Zxid), Peer: addressOf(it.conn.nc.RemoteAddr()),
				Timeout: time.Duration(it.reply.TimeoutMillis) * time.Millisecond,
			})
		}
	}
}

// deletions returns how many nodes the item has deleted.
func (it *item) deletions() (n int) {
	for i := range it.out.Events {
		if it.out.Events[i].Type == jute.EventNodeDeleted {
			n++
		}
	}
	return n
}
