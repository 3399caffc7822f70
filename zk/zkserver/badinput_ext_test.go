// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// Sessions that announce the greatest request and send nothing of it hold little
// memory, and keep nobody from being served.
func TestFloodOfAnnouncedRequests(t *testing.T) {
	const conns, perConn = 300, 40 << 10
	_, addr := startServer(t, zkserver.Options{})
	good := open(t, addr, 10*time.Second)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	announced := request(jute.XidPing, jute.OpPing, nil)
	announced = append(announced, 0, 0x0f, 0xff, 0xff) // 1 MiB - 1, the greatest
	for range conns {
		c := open(t, addr, 10*time.Second)
		c.write(announced)
		if m := c.message(); m.Xid != jute.XidPing { // the server has come as far as the length
			t.Fatalf("got xid %d, want the ping's", m.Xid)
		}
	}
	if after := heap(); after > before+conns*perConn {
		t.Errorf("%d connections hold %d KiB, want at most %d KiB each", conns, (after-before)>>10, perConn>>10)
	}
	good.create("/still-there", 0)
}

// What is no ZooKeeper client costs its own connection and nothing else.
func TestStrangersOnThePort(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{})
	good := open(t, addr, 10*time.Second)
	for name, sent := range map[string]string{
		"nothing":                "",
		"one byte":               "\x00",
		"half a length":          "\x00\x00",
		"HTTP":                   "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"TLS":                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"Rollcall":               "\xb2ROLL\x01\x00\x00",
		"divide":                 "\x00\x00\x00\x06divide\x00\x00\x00\x05\x01\x00\x00\x00\x06",
		"unknown word":           "ruko",
		"zeros":                  string(make([]byte, 1000)),
		"handshake of 2 GiB":     "\x7f\xff\xff\xff",
		"handshake of 1 MiB":     "\x00\x0f\xff\xff",
		"half a handshake":       string(connectFrame(jute.ConnectRequest{TimeoutMillis: 4000})[:20]),
		"handshake, then zeros":  string(connectFrame(jute.ConnectRequest{TimeoutMillis: 4000})) + string(make([]byte, 100)),
		"password of 2 GiB":      string(connectFrame(jute.ConnectRequest{})[:28]) + "\x7f\xff\xff\xff" + string(make([]byte, 16)),
		"negative password":      string(connectFrame(jute.ConnectRequest{})[:28]) + "\xff\xff\xff\xf0" + string(make([]byte, 16)),
		"half of a greatest one": string(connectFrame(jute.ConnectRequest{TimeoutMillis: 4000})) + "\x00\x0f\xff\xff" + string(make([]byte, 1<<19)),
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, addr)
			c.nc.SetDeadline(time.Now().Add(frameWait)) //nolint:errcheck // it shows in the next read
			io.WriteString(c.nc, sent)                  //nolint:errcheck // the server may have closed it meanwhile
			c.nc.(*net.TCPConn).CloseWrite()            //nolint:errcheck // the server may have closed it meanwhile
			if _, err := io.Copy(io.Discard, c.nc); isTimeout(err) {
				t.Error("the connection stays open, want it closed")
			}
			good.must(jute.OpSync, &jute.Path{Path: "/"}, nil)
		})
	}
	if got := s.Watches(); got != 0 {
		t.Errorf("got %d watches, want 0", got)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	ok := errors.As(err, &timeout)
	return ok && timeout.Timeout()
}

// FuzzStream sends any bytes behind a good handshake, in two parts, and leaves
// without a goodbye. The session stays, its watches go, and the next client is
// served.
func FuzzStream(f *testing.F) {
	create := request(1, jute.OpCreate, newNode("/a", jute.FlagEphemeralSequential))
	watch := request(2, jute.OpGetChildren, &jute.PathWatchRequest{Path: "/", Watch: true})
	f.Add(create, uint16(5))
	f.Add(append(create, watch...), uint16(len(create)))
	f.Add(append(watch, request(3, jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: 1})...), uint16(1))
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<20-1), uint16(2))
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31), uint16(4))
	f.Add(append(request(4, jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCreate, Request: newNode("/m", 1)}}}), create...), uint16(30))
	f.Add(append(request(5, jute.OpCloseSession, nil), create...), uint16(0))
	s := fuzzServer(f)
	hello := connectFrame(jute.ConnectRequest{TimeoutMillis: 4000})
	f.Fuzz(func(t *testing.T, input []byte, at uint16) {
		cut := int(at) % (len(input) + 1)
		client, server := memnet.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			s.ServeConn(server)
		}()
		read := make(chan struct{})
		go func() {
			defer close(read)
			io.Copy(io.Discard, client) //nolint:errcheck // it ends when the connection does
		}()
		client.SetDeadline(time.Now().Add(frameWait)) //nolint:errcheck // it shows in the next read
		for _, part := range [][]byte{hello, input[:cut], input[cut:]} {
			if _, err := client.Write(part); err != nil {
				break
			}
		}
		client.Close()
		<-served
		<-read
		if got := s.Watches(); got != 0 {
			t.Errorf("got %d watches of ended connections, want 0", got)
		}
		servesNext(t, s)
	})
}

// servesNext demands that the server still works. The connection has room: a
// last reply waits half a second for a reader, which on a net.Pipe must be there
// by then, however busy the machine is.
func servesNext(t *testing.T, s *zkserver.Server) {
	t.Helper()
	client, server := memnet.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.ServeConn(server)
	}()
	c := &rawConn{t: t, nc: client}
	c.handshake(jute.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	c.must(jute.OpSync, &jute.Path{Path: "/"}, nil)
	c.must(jute.OpCloseSession, &jute.Empty{}, nil)
	c.wantEOF()
	client.Close()
	<-served
}
