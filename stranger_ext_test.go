// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// startLogged serves divide on loopback and keeps its log.
func startLogged(t *testing.T) (*running, *logLines) {
	t.Helper()
	log := new(logLines)
	return start(t, "", rollcall.ServerOptions{Logger: log.logger()}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	}), log
}

// stillServes demands that good clients are served.
func stillServes(t *testing.T, addr string) {
	t.Helper()
	if _, err := divide.Call(within(t), staticClient(t, addr), &fraction{Num2: 1}); err != nil {
		t.Errorf("the server is not left running: %v", err)
	}
}

// A rawConn is a client's end of a connection, without a client.
type rawConn interface {
	net.Conn
	CloseWrite() error
}

// dialRaw connects to a server as clients do, inside TLS where they speak that.
func dialRaw(t *testing.T, addr string) rawConn {
	t.Helper()
	conn, err := meeting.dial(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // a dead connection fails the test
	return conn
}

// framed returns a frame with its header.
func framed(typ frame.Type, id uint64, payload []byte) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Type: typ, Length: uint32(len(payload)), StreamID: id}), payload...)
}

// Clients that break the protocol are closed, and told of at most once in a second:
// they cannot fill the disk.
func TestFramesThatBreakTheProtocol(t *testing.T) {
	begun := time.Now()
	s, log := startLogged(t)
	hello := string(frame.AppendPreface(nil, frame.Preface{}))
	for i, sent := range []string{
		"\xb2",
		"\xb2ROLF\x01\x00\x00",
		"\xb2ROLL\x01\xff\xff",
		hello + "\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		hello + string(framed(frame.TypeReply, 1, make([]byte, 4))),
		hello + string(framed(frame.TypeRequest, 1, []byte("half")))[:18],
		hello + strings.Repeat("\x00", 100),
	} {
		conn := dialRaw(t, s.addr)
		io.WriteString(conn, sent) //nolint:errcheck // the server may close it first
		conn.CloseWrite()          //nolint:errcheck // likewise
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q does not end the connection", sent)
		}
		if i == 1 { // the first to be told of: the next must not be faster
			log.await(t, 1, "level=WARN", "the client broke the protocol")
		}
	}
	stillServes(t, s.addr)
	s.Close()
	log.once(t, "level=WARN", "the client broke the protocol", "preface byte 4 is 70, not Rollcall's", "address=")
	lines, _ := log.with("level=WARN")
	if most := 1 + int(time.Since(begun)/time.Second); len(lines) > most {
		t.Errorf("got %d lines, want at most %d: %q", len(lines), most, lines)
	}
}

// A client that sends byte by byte is served like any other.
func TestRequestByteByByte(t *testing.T) {
	s, _ := startLogged(t)
	conn := dialRaw(t, s.addr)
	request := frame.AppendRequest(nil, &frame.Request{Codec: frame.CodecJSON, Method: []byte(divide.Name), Body: []byte(`{"Num1":6,"Num2":3}`)})
	for _, b := range append(frame.AppendPreface(nil, frame.Preface{}), framed(frame.TypeRequest, 1, request)...) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	head := make([]byte, frame.PrefaceHeaderBytes)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	size, err := frame.PrefaceSize(head)
	if err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, size-len(head)+frame.HeaderBytes)
	if _, err := io.ReadFull(conn, rest); err != nil {
		t.Fatal(err)
	}
	h, err := frame.ParseHeader(rest[size-len(head):])
	if err != nil || h.Type != frame.TypeReply || h.StreamID != 1 {
		t.Errorf("answered with %v on stream %d, %v, want a reply on 1", h.Type, h.StreamID, err)
	}
}

// Clients that announce the largest frame and send nothing of it hold little
// memory and keep nobody from being served.
func TestFloodOfAnnouncedRequests(t *testing.T) {
	only(t, "the memory of the client's TLS would count too", "tcp", "memory")
	const conns, perConn = 300, 40 << 10
	s, _ := startLogged(t)
	stillServes(t, s.addr)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	hello := frame.AppendPreface(nil, frame.Preface{})
	hello = append(hello, framed(frame.TypePing, 0, make([]byte, frame.PingBytes))...)
	hello = append(hello, frame.AppendHeader(nil, frame.Header{Type: frame.TypeRequest, Length: frame.DefaultMaxFrame, StreamID: 1})...)
	for range conns {
		conn := dialRaw(t, s.addr)
		if _, err := conn.Write(hello); err != nil {
			t.Fatal(err)
		}
		// The answer to the ping: the server has come as far as the header.
		if _, err := io.ReadFull(conn, make([]byte, len(frame.AppendServerPreface(nil, frame.ServerPreface{}))+frame.HeaderBytes+frame.PingBytes)); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+conns*perConn {
		t.Errorf("%d connections hold %d KiB, want at most %d KiB each", conns, (after-before)>>10, perConn>>10)
	}
	stillServes(t, s.addr)
}

// A reader of the registry's list skips what is no instance, whatever it is,
// counts it in its errors, and calls the others.
func TestEntriesThatAreNoInstances(t *testing.T) {
	registry := zktest.Start(t)
	s := start(t, "", rollcall.ServerOptions{Registry: registry.Target("/rpc")}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("good"))
	})
	if _, err := s.Registered(within(t)); err != nil {
		t.Fatal(err)
	}
	writer, err := zk.New([]string{registry.Addr()}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	bad := []string{"", "null", "[]", `{"host":"127.0.0.1"`, `{"host":"127.0.0.1","port":"x"}`, "\xff\xfe", strings.Repeat("x", 1<<20-200)}
	for i, data := range bad {
		if _, err := writer.Create(within(t), fmt.Sprintf("/rpc/bad-%d", i), []byte(data), zk.ModeEphemeral, nil); err != nil {
			t.Fatal(err)
		}
	}
	var log logLines
	c, err := rollcall.NewClient(registry.Target("/rpc"), meeting.client(rollcall.ClientOptions{Logger: log.logger(), ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q, err := divide.Call(within(t), c, &fraction{Num2: 1})
	if err != nil || q.Server != "good" {
		t.Fatalf("the good server is not called: %v, %v", q, err)
	}
	await(t, c, "all entries read", func() bool { return c.Snapshot().Counts.Skipped == len(bad) })
	_, err = divide.CallWith(within(t), c, &fraction{}, rollcall.CallOptions{Instance: "10.0.0.1:1"})
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonNoInstance, rollcall.ExecutedNo, fmt.Sprintf("1 listed: 1 usable; %d skipped", len(bad)))
	for i := range bad {
		log.once(t, "level=WARN", "entry is not an instance", fmt.Sprintf("instance=bad-%d ", i))
	}
	for _, line := range log.lines {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %.100s…", len(line), line)
		}
	}
	s.Close()
	await(t, c, "the good server's leave", func() bool { return c.Snapshot().Counts.Listed == 0 })
	_, err = divide.Call(within(t), c, &fraction{})
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Report.Source != discovery.SourceLive || e.Report.Counts.Skipped != len(bad) {
		t.Errorf("got %v, want an error of a live list with %d skipped", err, len(bad))
	}
}
