// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A Hook says what becomes of a request, [Pass] if it is none of its business. It
// is asked about one request at a time, in the order of each connection, so that
// what it counts needs no lock. It must not block, and must not call methods of
// the [Server]: what it wants it says by a [Fault].
type Hook func(r *Request) Fault

// A Match says which requests are meant. Every zero value means all, pings
// excepted.
type Match struct {
	// Ops are the operations, for example [Creates]. Pings, which clients send by
	// themselves, are meant only where they stand here.
	Ops []jute.OpCode
	// Path is the node that the request names; Under is one somewhere above it.
	// Of a multi, one of its operations has to name such a node.
	Path, Under string
	// Session is the client's session.
	Session int64
}

// Creates are the operations that create a node, except multi: which of them a
// client uses is its own affair.
var Creates = []jute.OpCode{jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL}

// Reads are the operations that read one node.
var Reads = []jute.OpCode{jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2, jute.OpGetACL}

// Matches reports whether the request is meant.
func (m *Match) Matches(r *Request) bool {
	switch {
	case m.Ops == nil && r.Op == jute.OpPing, m.Ops != nil && !slices.Contains(m.Ops, r.Op):
		return false
	case m.Session != 0 && m.Session != r.Session:
		return false
	case m.Path == "" && m.Under == "":
		return true
	}
	under := strings.TrimSuffix(m.Under, "/") + "/"
	return slices.ContainsFunc(r.Paths, func(path string) bool {
		return (m.Path == "" || path == m.Path) && (m.Under == "" || len(path) > len(under) && strings.HasPrefix(path, under))
	})
}

// Once is a hook that does f to the first request that matches.
func Once(m Match, f Fault) Hook { return Sequence(m, f) }

// Times is a hook that does f to the first n requests that match.
func Times(m Match, n int, f Fault) Hook { return Sequence(m, slices.Repeat([]Fault{f}, n)...) }

// Always is a hook that does f to every request that matches.
func Always(m Match, f Fault) Hook {
	return func(r *Request) Fault {
		if m.Matches(r) {
			return f
		}
		return Pass
	}
}

// Sequence is a hook that does the first fault to the first request that matches,
// the second to the second, and nothing to those behind the last. So the second
// create under /rpc loses its answer:
//
//	zktest.Sequence(zktest.Match{Ops: zktest.Creates, Under: "/rpc"}, zktest.Pass, zktest.CutAfter)
func Sequence(m Match, faults ...Fault) Hook {
	return func(r *Request) Fault {
		if len(faults) == 0 || !m.Matches(r) {
			return Pass
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}
