// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

func TestEveryOperationHasAHandler(t *testing.T) {
	for _, op := range jute.Ops() {
		h := handlerOf(op.Code)
		if h == nil {
			t.Errorf("%s: no handler", op.Name)
			continue
		}
		if got := h.write != nil; got != op.Write {
			t.Errorf("%s: handled as a write: %t, want %t", op.Name, got, op.Write)
		}
		kinds := 0
		for _, set := range []bool{h.write != nil, h.read != nil, h.local != nil} {
			if set {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%s: handled in %d ways, want 1", op.Name, kinds)
		}
	}
	for i := range handlers {
		if op := jute.OpCode(i) + lowestOp; handlerOf(op) != nil {
			if _, ok := jute.Lookup(op); !ok {
				t.Errorf("handler of operation %d, which is not in the table", op)
			}
		}
	}
}
