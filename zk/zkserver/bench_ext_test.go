// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

const (
	benchSessions = 8
	benchInFlight = 16
)

// BenchmarkServer measures round trips over loopback, 8 sessions with 16
// requests in flight each and 128 bytes of data. Client and server share the
// process; the client does next to nothing.
func BenchmarkServer(b *testing.B) {
	payload := make([]byte, 128)
	var serial atomic.Int64
	for name, appendRequest := range map[string]func(b []byte, xid int32) []byte{
		"get": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpGetData, &jute.PathWatchRequest{Path: "/bench"})
		},
		"exists": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpExists, &jute.PathWatchRequest{Path: "/bench"})
		},
		"set": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpSetData, &jute.SetDataRequest{Path: "/bench", Data: payload, Version: -1})
		},
		"create": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpCreate, &jute.CreateRequest{
				Path: fmt.Sprintf("/bench/n%d", serial.Add(1)), Data: payload, ACL: jute.WorldAnyone(),
			})
		},
		"mixed": func(b []byte, xid int32) []byte {
			if xid%4 == 0 {
				return appendRequest(b, xid, jute.OpSetData, &jute.SetDataRequest{Path: "/bench", Data: payload, Version: -1})
			}
			return appendRequest(b, xid, jute.OpGetData, &jute.PathWatchRequest{Path: "/bench"})
		},
	} {
		b.Run(name, func(b *testing.B) {
			benchmarkServer(b, zkserver.Options{}, benchSessions, benchInFlight, appendRequest)
		})
	}
}

func appendRequest(b []byte, xid int32, op jute.OpCode, r jute.Record) []byte {
	start := len(b)
	b = jute.AppendInt(b, 0)
	h := jute.RequestHeader{Xid: xid, Op: op}
	b = r.Append(h.Append(b))
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

func benchmarkServer(b *testing.B, opts zkserver.Options, parallel, depth int, appendRequest func([]byte, int32) []byte) {
	b.Helper()
	_, addr := startServer(b, opts)
	c := open(b, addr, 30*time.Second)
	c.must(jute.OpCreate, &jute.CreateRequest{Path: "/bench", Data: []byte("x"), ACL: jute.WorldAnyone()}, nil)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var sessions sync.WaitGroup
	for range parallel {
		c := open(b, addr, 30*time.Second)
		sessions.Go(func() { inFlight(c, depth, &left, appendRequest) })
	}
	sessions.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// inFlight keeps requests in flight until none is left to be made.
func inFlight(c *rawConn, depth int, left *atomic.Int64, appendRequest func([]byte, int32) []byte) {
	in := bufio.NewReaderSize(c.nc, 64<<10)
	var out, body []byte
	var xid int32
	flying := 0
	for {
		for flying < depth && left.Add(-1) >= 0 {
			xid++
			flying++
			out = appendRequest(out, xid)
		}
		if len(out) > 0 {
			c.write(out)
			out = out[:0]
		}
		if flying == 0 {
			return
		}
		for first := true; first || in.Buffered() > 0; first = false {
			body = readFrame(c.t, in, body)
			flying--
		}
	}
}

func readFrame(t testing.TB, in *bufio.Reader, body []byte) []byte {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		t.Error(err)
		return body
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if cap(body) < n {
		body = make([]byte, n)
	}
	body = body[:n]
	if _, err := io.ReadFull(in, body); err != nil {
		t.Error(err)
	}
	if err := int32(binary.BigEndian.Uint32(body[12:])); err != 0 {
		t.Errorf("got error %d", err)
	}
	return body
}

// BenchmarkFanOut measures how long a create takes to reach the last of 500
// watchers of the parent.
func BenchmarkFanOut(b *testing.B) {
	_, addr := startServer(b, zkserver.Options{})
	w := open(b, addr, 30*time.Second)
	w.create("/p", 0)
	watchers := make([]*rawConn, 500)
	for i := range watchers {
		watchers[i] = open(b, addr, 30*time.Second)
		watchers[i].must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/p", Mode: jute.WatchPersistentRecursive}, nil)
	}
	for b.Loop() {
		w.create("/p/n-", jute.FlagPersistentSequential)
		for _, c := range watchers {
			c.message()
		}
	}
}
