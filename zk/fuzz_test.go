// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A replay is a connection on which a server has said something and left.
type replay struct {
	net.Conn
	r *bytes.Reader
}

func (r *replay) Read(b []byte) (int, error)      { return r.r.Read(b) }
func (r *replay) Write(b []byte) (int, error)     { return len(b), nil }
func (r *replay) SetReadDeadline(time.Time) error { return nil }
func (r *replay) Close() error                    { return nil }

// FuzzReply lets a hostile server send anything to a client that waits for
// answers of every kind and holds watches of every kind. Nothing may panic or
// hang, every call ends once at most, and a call that was answered is the oldest.
func FuzzReply(f *testing.F) {
	frame := func(records ...jute.Record) []byte {
		return jute.AppendFrame(nil, func(b []byte) []byte {
			for _, r := range records {
				b = r.Append(b)
			}
			return b
		})
	}
	var all []byte
	for i, op := range jute.Ops() {
		answer := frame(&jute.ReplyHeader{Xid: int32(i) + 1, Zxid: 7}, op.NewResponse())
		f.Add(answer)
		all = append(all, answer...)
	}
	f.Add(all)
	for _, typ := range []jute.EventType{1, 2, 3, 4, 99} {
		f.Add(frame(&jute.ReplyHeader{Xid: -1, Zxid: -1}, &jute.WatcherEvent{Type: typ, State: 3, Path: "/a/b"}))
		f.Add(frame(&jute.ReplyHeader{Xid: -1, Zxid: -1}, &jute.WatcherEvent{Type: typ, State: 3, Path: "nowhere"}))
	}
	f.Add(frame(&jute.ReplyHeader{Xid: 1, Err: -101}))
	f.Add(frame(&jute.ReplyHeader{Xid: jute.XidSetWatches, Err: jute.ErrMarshalling}))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		opts := Options{MaxPacketBytes: 1 << 16, WatchQueue: 2}.withDefaults()
		c := &Client{opts: opts, log: opts.Logger, wake: make(chan struct{}, 1), changed: make(chan struct{}), watches: newWatchTable()}
		c.session.State = StateConnected
		one := make([]chan Event, oneShotKinds)
		for kind := range one {
			one[kind] = make(chan Event, 1)
			c.watches.addOneShot(kind, "/a/b", one[kind])
		}
		for _, mode := range []WatchMode{Persistent, PersistentRecursive} {
			c.watches.add(&Watch{client: c, path: "/a", mode: mode, events: make(chan Event, 3)})
		}
		requests := make([]*request, 0, len(jute.Ops()))
		for _, op := range jute.Ops() {
			requests = append(requests, internalRequest(op.Code, "/a", op.NewRequest()))
		}
		c.push(requests...)
		c.take(nil, 1<<20)
		abandoned := requests[5]
		abandoned.stage = stageAbandoned
		cn := &conn{Conn: &replay{r: bytes.NewReader(b)}}
		cn.r = bufio.NewReader(cn)
		if err := c.read(cn); err == nil {
			t.Fatal("the connection ended without an error")
		}
		open := false
		for i, r := range requests {
			select {
			case <-r.done:
				if open && r != abandoned {
					t.Fatalf("request %d was answered before an older one", i)
				}
				if r.err == nil {
					r.decode(mustLookup(r.op).NewResponse()) //nolint:errcheck // it must not panic
				}
			default:
				open = open || r != abandoned
			}
		}
		c.dropConnection(ErrConnectionLoss)
		c.watches.end(ErrClosed)
		for _, ch := range one {
			if ev := <-ch; ev.Err == nil && ev.Path != "/a/b" {
				t.Fatalf("event %+v", ev)
			}
			if _, ok := <-ch; ok {
				t.Fatal("a one-shot watch fired twice")
			}
		}
	})
}

func mustLookup(code jute.OpCode) jute.Op {
	op, ok := jute.Lookup(code)
	if !ok {
		panic("no such operation")
	}
	return op
}
