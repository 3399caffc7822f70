// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"io"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A Hook is asked about every request of a session before it is served. Package
// zktest makes them, for tests. It is called on the goroutine of the connection
// and may block: that holds back what stands behind the request on this
// connection, pings included, and nothing else. It must return when Ended is
// closed.
type Hook func(r *Request) Verdict

// SetHook has a hook asked from the next request on; nil: none.
func (s *Server) SetHook(hook Hook) {
	if hook == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&hook)
}

// A Request is a request as a [Hook] sees it.
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

// A Verdict says what becomes of a request.
type Verdict struct {
	Fault Fault
	// Err is the answer of [FaultFail].
	Err jute.ErrCode
	// Done, if it is not nil, is called when the fault has happened, on the
	// goroutine of the connection: nothing is left to do but to close it.
	Done func()
}

// A Fault is what can become of a request. What was asked before it on its
// connection is served and answered first.
type Fault int

// The faults.
const (
	// FaultNone serves the request.
	FaultNone Fault = iota
	// FaultFail answers with an error code; the request is not carried out.
	FaultFail
	// FaultDrop loses the request and all that comes behind it on its connection,
	// pings included. That stays open until the client closes it or the session
	// ends.
	FaultDrop
	// FaultCut closes the connection; the request is not carried out.
	FaultCut
	// FaultCutAfter carries out the request and closes the connection in place of
	// answering.
	FaultCutAfter
	// FaultExpire ends the session; the request is not carried out.
	FaultExpire
)

// ask asks the hook about a request and does what it says. It reports whether the
// connection goes on.
func (c *conn) ask(hook Hook, h *handler, rh jute.RequestHeader, payload []byte) bool {
	c.submit() // what came before does not wait with it
	c.count()
	c.out.flush()
	r := &Request{Session: c.session.id, Xid: rh.Xid, Op: rh.Op, Ended: c.out.awaitable()}
	r.decode(payload[jute.RequestHeaderSize:])
	v := hook(r)
	if v.Done == nil {
		v.Done = func() {}
	}
	select {
	case <-r.Ended:
		v.Done()
		return false
	default:
	}
	if v.Fault != FaultNone {
		c.settle()
		c.out.awaitSent()
	}
	goesOn := c.meet(&v, h, rh, len(payload))
	v.Done()
	if v.Fault == FaultDrop {
		_, _ = io.Copy(io.Discard, c.nc)
	}
	return goesOn
}

// meet does to a request what the hook wants, and reports whether the connection
// goes on.
func (c *conn) meet(v *Verdict, h *handler, rh jute.RequestHeader, size int) bool {
	switch v.Fault {
	case FaultNone:
		return c.dispatch(h, rh, size)
	case FaultFail:
		c.answer(rh.Xid, c.srv.version.Load().Zxid(), v.Err)
		c.out.flush()
		return true
	case FaultCutAfter:
		c.out.mute()
		c.dispatch(h, rh, size)
		c.settle()
	case FaultExpire:
		c.srv.ExpireSession(c.session.id)
	}
	return false
}

// decode fills in what stands behind the header.
func (r *Request) decode(body []byte) {
	op, ok := jute.Lookup(r.Op)
	if !ok {
		return
	}
	rec := op.NewRequest()
	d := jute.NewDecoder(body)
	if rec.Decode(&d); d.Err() == nil {
		r.Body, r.Paths = rec, pathsOf(rec)
	}
}

// pathsOf returns the nodes that a request names.
func pathsOf(rec jute.Record) []string {
	switch rec := rec.(type) {
	case *jute.CreateRequest:
		return []string{rec.Path}
	case *jute.CreateTTLRequest:
		return []string{rec.Path}
	case *jute.PathVersionRequest:
		return []string{rec.Path}
	case *jute.PathWatchRequest:
		return []string{rec.Path}
	case *jute.PathModeRequest:
		return []string{rec.Path}
	case *jute.SetDataRequest:
		return []string{rec.Path}
	case *jute.SetACLRequest:
		return []string{rec.Path}
	case *jute.Path:
		return []string{rec.Path}
	case *jute.MultiRequest:
		var paths []string
		for _, op := range rec.Ops {
			paths = append(paths, pathsOf(op.Request)...)
		}
		return paths
	case *jute.MultiReadRequest:
		var paths []string
		for _, op := range rec.Ops {
			paths = append(paths, op.Request.Path)
		}
		return paths
	}
	return nil
}
