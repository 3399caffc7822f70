// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"fmt"

	"github.com/rollcall-rpc/rollcall/frame"
)

func ExampleAppendRequest() {
	payload := frame.AppendRequest(nil, &frame.Request{
		Codec: frame.CodecJSON, Method: []byte("Divide/Divide"), Body: []byte(`{"num1":6}`),
	})
	b := frame.AppendHeader(nil, frame.Header{Length: uint32(len(payload)), Type: frame.TypeRequest, StreamID: 1})
	b = append(b, payload...)

	h, err := frame.ParseHeader(b)
	if err == nil {
		err = h.Check(frame.DefaultMaxFrame)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := frame.ParseRequest(b[frame.HeaderBytes:], frame.DefaultMaxMetadata)
	fmt.Printf("%v on stream %d: %s %s %v\n", h.Type, h.StreamID, r.Method, r.Body, err)
	// Output: REQUEST on stream 1: Divide/Divide {"num1":6} <nil>
}
