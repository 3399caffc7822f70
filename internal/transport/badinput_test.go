// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A frame's length is a promise: connections that announce the largest frame and
// send nothing of it take no memory for it, on either side.
func TestFloodOfAnnouncedFrames(t *testing.T) {
	const (
		conns    = 100
		perConn  = 64 << 10 // goroutines, the memnet pipe and the first buffer
		announce = frame.MaxMaxFrame
	)
	header := func(typ frame.Type) []byte {
		return frame.AppendHeader(nil, frame.Header{Type: typ, Length: announce, StreamID: 1})
	}
	check := func(t *testing.T, side string, before uint64) {
		t.Helper()
		synctest.Wait() // every reader has read its header and waits for the payload
		if after := heap(); after > before+conns*perConn {
			t.Errorf("%d %ss hold %d KiB for frames that were only announced, want at most %d KiB each",
				conns, side, (after-before)>>10, perConn>>10)
		}
	}
	t.Run("to servers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			before := heap()
			for range conns {
				p, _, _ := dialServer(t, ServerOptions{MaxFrameBytes: announce}, &frame.Preface{})
				p.send(header(frame.TypeRequest))
			}
			check(t, "server", before)
		})
	})
	t.Run("to clients", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			before := heap()
			for range conns {
				p, _ := acceptClient(t, ClientOptions{MaxFrameBytes: announce}, ok)
				p.send(header(frame.TypeReply))
			}
			check(t, "client", before)
		})
	})
}

// A frame that comes in single bytes is as good as one that comes at once, also
// where it is larger than the first buffer.
func TestFramesByteByByte(t *testing.T) {
	p, _, _ := dialServer(t, ServerOptions{}, nil)
	body := string(make([]byte, 3*minInBuffer))
	stream := frame.AppendPreface(nil, frame.Preface{})
	stream = append(stream, frameBytes(frame.TypeRequest, 0, 1, frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Body: []byte(body)}))...)
	go func() {
		for i := range stream {
			if _, err := p.conn.Write(stream[i : i+1]); err != nil {
				t.Errorf("byte %d: %v", i, err)
				return
			}
		}
	}()
	if got := p.serverPreface(); got.Status != frame.StatusOK {
		t.Fatalf("preface answered with %v", got.Status)
	}
	p.wantReply(1, body)
}

// FuzzClientBytes lets a hostile server send anything behind a good preface to a
// client that has a call outstanding: the call ends, and its error says whether
// it may have been executed.
func FuzzClientBytes(f *testing.F) {
	reply := frame.AppendReply(nil, &frame.Reply{Body: []byte("x")})
	f.Add(frameBytes(frame.TypeReply, 0, 1, reply))
	f.Add(append(frameBytes(frame.TypeReply, frame.FlagMore, 1, reply), frameBytes(frame.TypeData, 0, 1, []byte("y"))...))
	f.Add(frameBytes(frame.TypeError, 0, 1, frame.AppendError(nil, &frame.Error{Code: 5, Executed: 1, Reason: "R", Message: "m"})))
	f.Add(frameBytes(frame.TypeGoAway, 0, 0, frame.AppendGoAway(nil, frame.GoAway{Reason: frame.GoAwayDraining})))
	f.Add(frameBytes(frame.TypePing, 0, 0, make([]byte, frame.PingBytes)))
	f.Add(frame.AppendHeader(nil, frame.Header{Type: frame.TypeReply, Length: frame.DefaultMaxFrame, StreamID: 1}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, conn := memnet.Pipe()
		c := NewClientConn(conn, ClientOptions{MaxMessageBytes: 50, MaxMetadataBytes: 50, KeepaliveInterval: -1})
		go func() {
			a.Write(frame.AppendServerPreface(nil, *ok)) //nolint:errcheck // the other end may be gone
			a.Write(b)                                   //nolint:errcheck // the other end may be gone
			a.CloseWrite()                               //nolint:errcheck // the other end may be gone
			io.Copy(io.Discard, a)                       //nolint:errcheck // until the other end is gone
		}()
		got, err := c.Call(t.Context(), &Request{Method: "M", Body: []byte("x")})
		var call *CallError
		var remote *RemoteError
		switch {
		case err == nil:
			if len(got.Body) > 50 {
				t.Errorf("a reply of %d bytes was taken, the limit is 50", len(got.Body))
			}
		case errors.As(err, &remote) && remote.Executed != 0:
		case errors.As(err, &call) && call.Executed != 0:
		default:
			t.Errorf("the error does not say whether the call was executed: %v", err)
		}
		c.Close()
		a.Close()
	})
}
