// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// serverGoroutines returns the stacks of goroutines that the server has started.
func serverGoroutines() []string {
	buf := make([]byte, 4<<20)
	var found []string
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "created by github.com/rollcall-rpc/rollcall/zk/zkserver.") {
			found = append(found, g)
		}
	}
	return found
}

// When Close has returned, no goroutine of the server is left, whatever its
// connections were at.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	s, err := zkserver.New(zkserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- s.Serve(context.Background(), l) }()
	go func() { done <- s.Serve(context.Background(), second) }()
	dialRaw(t, l.Addr().String()) // says nothing
	half := dialRaw(t, second.Addr().String())
	half.write([]byte{0, 0, 0, 44, 0})
	idle := open(t, l.Addr().String(), 10*time.Second)
	busy := open(t, second.Addr().String(), 10*time.Second)
	idle.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: 1}, nil)
	deaf := open(t, l.Addr().String(), 10*time.Second)
	node := newNode("/big", 0)
	node.Data = make([]byte, 1<<19)
	busy.must(jute.OpCreate, node, nil)
	for range 100 { // more than the network takes
		deaf.send(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"})
	}
	for range 100 {
		busy.send(jute.OpSetData, &jute.SetDataRequest{Path: "/big", Version: -1})
	}
	if len(serverGoroutines()) == 0 {
		t.Fatal("no goroutine of the server is found while it serves: the test finds nothing")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	// A goroutine that has said it is done may still be on its last instruction.
	var left []string
	for range 100 {
		if left = serverGoroutines(); len(left) == 0 {
			break
		}
		runtime.Gosched()
	}
	if len(left) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
	for range 2 {
		<-done //nolint:errcheck // what comes of it is looked at elsewhere
	}
}

func TestOptions(t *testing.T) {
	for name, opts := range map[string]zkserver.Options{
		"TickTime":          {TickTime: time.Microsecond},
		"MinSessionTimeout": {MinSessionTimeout: -1},
		"MaxSessionTimeout": {MaxSessionTimeout: time.Second},
		"HandshakeTimeout":  {HandshakeTimeout: -1},
		"MaxPacketBytes":    {MaxPacketBytes: -1},
		"DigestAlgorithm":   {DigestAlgorithm: "MD5"},
		"Epoch":             {Epoch: 1 << 31},
		"SuperDigest":       {SuperDigest: "password"},
		"FourLetterWords":   {FourLetterWords: []string{"ruok", "nope"}},
	} {
		s, err := zkserver.New(opts)
		if err == nil || s != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
	}
	_, err := zkserver.New(zkserver.Options{TickTime: -1, MaxPacketBytes: -1})
	if err == nil || !strings.Contains(err.Error(), "TickTime") || !strings.Contains(err.Error(), "MaxPacketBytes") {
		t.Errorf("two bad options: got %v, want both named", err)
	}
}
