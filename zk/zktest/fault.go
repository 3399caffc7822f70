// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"time"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A Request is a client's request as a [Hook] sees it.
type Request struct {
	Session int64
	Xid     int32
	Op      jute.OpCode
	// Paths are the nodes that the request names: one for most operations, none
	// for a ping and its like, one for each operation of a multi.
	Paths []string
	// Body is the request as [jute.Lookup] knows it, nil if it cannot be decoded.
	// Its buffers are valid until the hook returns.
	Body jute.Record
	// Ended is closed when the server has closed the connection: its session
	// has expired or has come on another one, or the server stops.
	Ended <-chan struct{}
}

// A Fault is what becomes of a request. The requests before it on its connection
// are answered first; those of other connections go on whatever it is.
type Fault struct {
	kind  hook.Fault
	err   jute.ErrCode
	delay time.Duration
	until <-chan struct{} // nil: not held
}

// The faults that need no more than their name.
var (
	// Pass is none: the request is served. It is the zero value.
	Pass = Fault{}
	// Drop never answers. The request is not carried out, and what comes behind it
	// on its connection is lost too, pings included, until the client gives the
	// connection up: a network that swallows.
	Drop = Fault{kind: hook.Drop}
	// CutBefore closes the connection; the request is not carried out.
	CutBefore = Fault{kind: hook.Cut}
	// CutAfter carries the request out and closes the connection: its answer is
	// lost.
	CutAfter = Fault{kind: hook.CutAfter}
	// Expire ends the session, ephemeral nodes included; the request is not carried
	// out.
	Expire = Fault{kind: hook.Expire}
)

// Fail answers with an error of ZooKeeper, which must not be [jute.ErrOk]; the
// request is not carried out.
func Fail(err jute.ErrCode) Fault { return Fault{kind: hook.Fail, err: err} }

// Delay holds the request back for d of the server's clock and then serves it.
// What comes behind it on its connection waits too, pings included: a client that
// is held back for longer than its session timeout loses its session. If the
// connection ends meanwhile the request is not carried out.
func Delay(d time.Duration) Fault { return Fault{delay: d} }

// HoldUntil is [Delay] until released is closed.
func HoldUntil(released <-chan struct{}) Fault { return Fault{until: released} }

// hold waits as long as the fault holds its request back.
func (f *Fault) hold(r *Request, after func(time.Duration) <-chan time.Time) {
	if f.delay > 0 {
		select {
		case <-after(f.delay):
		case <-r.Ended:
		}
	}
	if f.until != nil {
		select {
		case <-f.until:
		case <-r.Ended:
		}
	}
}
