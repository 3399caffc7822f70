// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A Request is a client's request as a [Hook] sees it.
type Request = zkserver.Request

// A Fault is what becomes of a request. The requests before it on its connection
// are answered first; those of other connections go on whatever it is.
type Fault struct {
	kind  zkserver.Fault
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
	Drop = Fault{kind: zkserver.FaultDrop}
	// CutBefore closes the connection; the request is not carried out.
	CutBefore = Fault{kind: zkserver.FaultCut}
	// CutAfter carries the request out and closes the connection: its answer is
	// lost.
	CutAfter = Fault{kind: zkserver.FaultCutAfter}
	// Expire ends the session, ephemeral nodes included; the request is not carried
	// out.
	Expire = Fault{kind: zkserver.FaultExpire}
)

// Fail answers with an error of ZooKeeper, which must not be [jute.ErrOk]; the
// request is not carried out.
func Fail(err jute.ErrCode) Fault { return Fault{kind: zkserver.FaultFail, err: err} }

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
