// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// FuzzDecode reads hostile bytes as every record. Nothing may panic, an error is
// a *DecodeError, and what was accepted must survive being written and read
// again.
func FuzzDecode(f *testing.F) {
	ops := jute.Ops()
	for i, op := range ops {
		for _, response := range []bool{false, true} {
			r := op.NewRequest()
			if response {
				r = op.NewResponse()
			}
			fill(rand.New(rand.NewPCG(uint64(i), 2)), reflect.ValueOf(r))
			f.Add(uint8(i), response, r.Append(nil))
		}
	}
	f.Add(uint8(12), false, []byte{0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(10), true, []byte{0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, row uint8, response bool, b []byte) {
		op := ops[int(row)%len(ops)]
		empty := op.NewRequest
		if response {
			empty = op.NewResponse
		}
		first := empty()
		d := jute.NewDecoder(b)
		first.Decode(&d)
		if d.Err() != nil {
			return
		}
		written := first.Append(nil)
		second := empty()
		d = jute.NewDecoder(written)
		second.Decode(&d)
		if d.Err() != nil || d.Len() != 0 {
			t.Fatalf("%s: written and read again: error %v, %d bytes left", op.Name, d.Err(), d.Len())
		}
		if again := second.Append(nil); !bytes.Equal(again, written) {
			t.Fatalf("%s: %x became %x", op.Name, written, again)
		}
	})
}
