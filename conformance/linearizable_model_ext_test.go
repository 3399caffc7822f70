// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/rollcall-rpc/rollcall/zk"
)

// linearizableNodes is how many nodes the clients share.
const linearizableNodes = 3

// A nodeOp is one operation on one node.
type nodeOp struct {
	op      string // get, create, set or delete
	node    int
	value   string // of create and set; no two are the same
	version int32  // of set and delete; -1: any
}

// An invocation is a request: one operation, or several in a multi.
type invocation []nodeOp

// An answer is what a client learned.
type answer struct {
	unknown bool   // none came: it may have happened or not
	err     error  // a sentinel of zk; nil: it happened
	value   string // of a get
	version int32  // of a get, create or set, alone
	zxid    int64  // of the last change of the node that was got, or of the write itself; 0: not told
}

// A sharedNodes is what the nodes are at one moment.
type sharedNodes struct {
	nodes [linearizableNodes]sharedNode
	zxid  int64 // the greatest that is known
}

type sharedNode struct {
	exists  bool
	value   string
	version int32
	mzxid   int64 // 0: not known
}

// apply returns the state after a request at zxid, or why it fails.
func (s sharedNodes) apply(in invocation, zxid int64) (sharedNodes, error) {
	after := s
	for _, st := range in {
		n := &after.nodes[st.node]
		switch {
		case st.op == "create" && n.exists:
			return s, zk.ErrNodeExists
		case st.op != "create" && !n.exists:
			return s, zk.ErrNoNode
		case (st.op == "set" || st.op == "delete") && st.version >= 0 && st.version != n.version:
			return s, zk.ErrBadVersion
		}
		switch st.op {
		case "create":
			*n = sharedNode{true, st.value, 0, zxid}
		case "set":
			*n = sharedNode{true, st.value, n.version + 1, zxid}
		case "delete":
			*n = sharedNode{}
		}
	}
	return after, nil
}

// answered returns the state behind a request if the answer fits.
func (s sharedNodes) answered(in invocation, out answer) (sharedNodes, bool) {
	after, err := s.apply(in, out.zxid)
	if !errors.Is(err, out.err) {
		return s, false
	}
	if err != nil {
		return s, true
	}
	if len(in) == 1 && in[0].op != "delete" && after.nodes[in[0].node].version != out.version {
		return s, false
	}
	if in[0].op == "get" {
		n := &after.nodes[in[0].node]
		if n.value != out.value || n.mzxid != 0 && n.mzxid != out.zxid {
			return s, false
		}
		n.mzxid = out.zxid
		after.zxid = max(s.zxid, out.zxid)
		return after, true
	}
	if out.zxid != 0 && out.zxid <= s.zxid {
		return s, false
	}
	after.zxid = max(s.zxid, out.zxid)
	return after, true
}

// linearizable is the model of a few nodes: every answered request took place at
// one moment between call and answer, every other one too, or never.
var linearizable = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{sharedNodes{}} },
	Step: func(before, input, output any) []any {
		s, in, out := before.(sharedNodes), input.(invocation), output.(answer)
		if !out.unknown {
			if after, ok := s.answered(in, out); ok {
				return []any{after}
			}
			return nil
		}
		after, err := s.apply(in, 0)
		if err != nil || after == s {
			return []any{s}
		}
		return []any{s, after}
	},
	Equal:             func(a, b any) bool { return a.(sharedNodes) == b.(sharedNodes) },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v: %+v", input, output) },
	DescribeState:     func(s any) string { return strings.TrimSpace(fmt.Sprintf("%+v", s)) },
}).ToModel()

// The checker accepts what a crash may leave, and finds out what it may not.
func TestLinearizableModel(t *testing.T) {
	t.Parallel()
	create := invocation{{op: "create", value: "one", version: -1}}
	set := invocation{{op: "set", value: "two", version: 0}}
	get := invocation{{op: "get", version: -1}}
	both := invocation{{op: "set", value: "x", version: -1}, {op: "create", node: 1, value: "y", version: -1}}
	getOther := invocation{{op: "get", node: 1, version: -1}}
	unknown := answer{unknown: true}
	one, two := answer{value: "one", zxid: 1}, answer{value: "two", version: 1, zxid: 2}
	type request struct {
		in  invocation
		out answer
	}
	created := request{create, answer{zxid: 1}}
	for name, tt := range map[string]struct {
		legal    bool
		requests []request // one behind the other
	}{
		"acknowledged and there":          {true, []request{created, {set, answer{version: 1, zxid: 2}}, {get, two}}},
		"acknowledged and lost":           {false, []request{created, {set, answer{version: 1, zxid: 2}}, {get, one}}},
		"unknown and there":               {true, []request{created, {set, unknown}, {get, two}}},
		"unknown and not there":           {true, []request{created, {set, unknown}, {get, one}}},
		"seen and taken back":             {false, []request{created, {set, unknown}, {get, two}, {get, one}}},
		"late after all":                  {false, []request{created, {set, unknown}, {get, one}, {get, two}}},
		"a deleted node is back":          {false, []request{created, {invocation{{op: "delete", version: 0}}, answer{}}, {get, one}}},
		"created twice":                   {false, []request{created, {create, answer{zxid: 2}}}},
		"a multi as a whole":              {true, []request{created, {both, unknown}, {getOther, answer{value: "y", zxid: 2}}, {get, answer{value: "x", version: 1, zxid: 2}}}},
		"a multi by halves":               {false, []request{created, {both, unknown}, {getOther, answer{value: "y", zxid: 2}}, {get, one}}},
		"a multi not at all":              {true, []request{created, {both, unknown}, {getOther, answer{err: zk.ErrNoNode}}, {get, one}}},
		"a zxid twice":                    {false, []request{created, {set, answer{version: 1, zxid: 1}}}},
		"a version twice":                 {false, []request{created, {set, answer{version: 1, zxid: 2}}, {set, answer{version: 1, zxid: 3}}}},
		"another time than at the change": {false, []request{created, {get, answer{value: "one", zxid: 2}}}},
	} {
		var ops []porcupine.Operation
		for i, r := range tt.requests {
			ops = append(ops, porcupine.Operation{Input: r.in, Output: r.out, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if got := porcupine.CheckOperations(linearizable, ops); got != tt.legal {
			t.Errorf("%s: got %v, want %v", name, got, tt.legal)
		}
	}
}
