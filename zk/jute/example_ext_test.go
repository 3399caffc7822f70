// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute_test

import (
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A request as it goes over the wire, and the table that reads it.
func ExampleLookup() {
	frame := jute.AppendFrame(nil, func(b []byte) []byte {
		header := jute.RequestHeader{Xid: 1, Op: jute.OpGetData}
		request := jute.PathWatchRequest{Path: "/"}
		return request.Append(header.Append(b))
	})
	fmt.Printf("% x\n", frame)

	d := jute.NewDecoder(frame[4:])
	var header jute.RequestHeader
	header.Decode(&d)
	op, _ := jute.Lookup(header.Op)
	request := op.NewRequest()
	request.Decode(&d)
	fmt.Println(op.Name, request.(*jute.PathWatchRequest).Path, d.Err())
	// Output:
	// 00 00 00 0e 00 00 00 01 00 00 00 04 00 00 00 01 2f 00
	// getData / <nil>
}
