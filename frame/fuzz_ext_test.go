// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/frame"
)

// What was parsed is written and parsed again with the same result.
func FuzzPreface(f *testing.F) {
	for _, b := range examples(f) {
		f.Add(b)
	}
	f.Add(frame.AppendPreface(nil, frame.Preface{Settings: frame.Settings{MaxFrame: 1 << 20, MaxMessage: 1, MaxMetadata: 2, MaxStreams: 3}}))
	f.Add([]byte("\xb2ROLL\x02\x00\x01\x03"))
	f.Add([]byte("\xb2ROLL\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := frame.ParsePreface(b); err == nil {
			again, err := frame.ParsePreface(frame.AppendPreface(nil, p))
			if err != nil || again != p {
				t.Errorf("client: %+v became %+v, %v", p, again, err)
			}
		}
		if p, err := frame.ParseServerPreface(b); err == nil {
			again, err := frame.ParseServerPreface(frame.AppendServerPreface(nil, p))
			if err != nil || (again != p && p.Version != 0) {
				t.Errorf("server: %+v became %+v, %v", p, again, err)
			}
		}
	})
}

// The input is read as a header and as each payload. What parses must survive
// another round, and canonical input must come out byte for byte.
func FuzzFrame(f *testing.F) {
	for _, b := range examples(f) {
		f.Add(b)
		f.Add(b[min(len(b), frame.HeaderBytes):])
	}
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := frame.ParseHeader(b); err == nil {
			if got := frame.AppendHeader(nil, h); !bytes.Equal(got, b[:frame.HeaderBytes]) {
				t.Errorf("header %x became %x", b[:frame.HeaderBytes], got)
			}
			h.Check(frame.DefaultMaxFrame) //nolint:errcheck // it must not panic
		}
		round(t, b, func(b []byte) (frame.Request, error) { return frame.ParseRequest(b, 1<<16) },
			func(q *frame.Request) []byte { return frame.AppendRequest(nil, q) })
		round(t, b, func(b []byte) (frame.Reply, error) { return frame.ParseReply(b, 1<<16) },
			func(r *frame.Reply) []byte { return frame.AppendReply(nil, r) })
		round(t, b, frame.ParseGoAway, func(g *frame.GoAway) []byte {
			g.Text = g.Text[:min(len(g.Text), 1000)]
			return frame.AppendGoAway(nil, *g)
		})
		round(t, b, frame.ParseError, func(e *frame.Error) []byte {
			e.Message = e.Message[:min(len(e.Message), 4000)]
			if e.Details.Size() > frame.MaxErrorDetails {
				e.Details = nil
			}
			return frame.AppendError(nil, e)
		})
	})
}

func round[T any](t *testing.T, b []byte, parse func([]byte) (T, error), write func(*T) []byte) {
	t.Helper()
	v, err := parse(b)
	if err != nil {
		return
	}
	encoded := write(&v)
	again, err := parse(encoded)
	if err != nil {
		t.Fatalf("%+v does not parse again: %v", v, err)
	}
	if diff := cmp.Diff(v, again); diff != "" {
		t.Errorf("changed on the way: %s", diff)
	}
	if !bytes.Equal(write(&again), encoded) {
		t.Error("not canonical after one round")
	}
}
