// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package hook

import "github.com/rollcall-rpc/rollcall/zk/jute"

// A Request is a request as a [Func] sees it.
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

// NewRequest returns the request with a header and with what stands behind it.
func NewRequest(session int64, h jute.RequestHeader, body []byte, ended <-chan struct{}) *Request {
	r := &Request{Session: session, Xid: h.Xid, Op: h.Op, Ended: ended}
	op, ok := jute.Lookup(r.Op)
	if !ok {
		return r
	}
	rec := op.NewRequest()
	d := jute.NewDecoder(body)
	if rec.Decode(&d); d.Err() == nil {
		r.Body, r.Paths = rec, pathsOf(rec)
	}
	return r
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
