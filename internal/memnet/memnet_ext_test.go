// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

func TestBytesArriveInOrderAndEOFAfterThem(t *testing.T) {
	a, b := memnet.PipeSize(7)
	want := bytes.Repeat([]byte("0123456789"), 100)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = a.Write(want)
		_ = a.Close()
	}()
	got, err := io.ReadAll(b)
	<-closed // EOF comes before Close has returned
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, %v; want %d, nil", len(got), err, len(want))
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, memnet.ErrCut) {
		t.Errorf("write to a closed peer: %v, want ErrCut", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read after Close: %v, want ErrClosedPipe", err)
	}
}

func TestCutAfterDeliversExactlySoMany(t *testing.T) {
	for n := range 6 {
		a, b := memnet.Pipe()
		a.CutAfter(n)
		got, err := a.Write([]byte("hello"))
		wantErr := n < 5
		if got != n || (err != nil) != wantErr {
			t.Fatalf("budget %d: Write = %d, %v", n, got, err)
		}
		if !wantErr {
			continue
		}
		read, err := io.ReadAll(b)
		if string(read) != "hello"[:n] || !errors.Is(err, memnet.ErrCut) {
			t.Errorf("budget %d: peer read %q, %v", n, read, err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, memnet.ErrCut) {
			t.Errorf("budget %d: peer's write: %v, want ErrCut", n, err)
		}
	}
}

func TestBlockHoldsBackAlsoTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		a.Block()
		_, _ = a.Write([]byte("x"))
		_ = a.Close()
		_ = b.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("blocked read: %v, want a timeout", err)
		}
		_ = b.SetReadDeadline(time.Time{})
		a.Unblock()
		if got, err := io.ReadAll(b); string(got) != "x" || err != nil {
			t.Errorf("after Unblock: %q, %v", got, err)
		}
	})
}

func TestDelayAndDeadlinesUseTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.PipeSize(4)
		a.SetDelay(time.Minute)
		start := time.Now()
		_, _ = a.Write([]byte("abcd"))
		_ = a.SetWriteDeadline(start.Add(time.Second))
		if n, err := a.Write([]byte("e")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write to a full pipe: %d, %v", n, err)
		}
		if _, err := io.ReadFull(b, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("arrived after %v, want 1m", got)
		}
	})
}

func TestNetwork(t *testing.T) {
	var n memnet.Network
	if _, err := n.Dial(t.Context(), "tcp", "a:1"); err == nil {
		t.Fatal("dialled nobody")
	}
	l, err := n.Listen("a:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("a:1"); err == nil {
		t.Fatal("listened twice")
	}
	c, err := n.Dial(t.Context(), "tcp", "a:1")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(n.Conns("a:1")); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	_, _ = c.Write([]byte("x"))
	_ = c.Close()
	if got, err := io.ReadAll(s); string(got) != "x" || err != nil {
		t.Errorf("accepted connection read %q, %v", got, err)
	}
	if got := len(n.Conns("a:1")); got != 0 {
		t.Errorf("%d connections after Close, want 0", got)
	}
}

func TestDialGivesUpWithTheContext(t *testing.T) {
	l := memnet.Listen("full")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		if i == 128 {
			cancel()
		}
		_, err = l.Dial(ctx)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("dial with a full backlog: %v", err)
	}
}

// closing is a context that ends nothing: who selects on it finds the listener
// closed meanwhile.
type closing struct {
	context.Context //nolint:containedctx // it is one itself
	listener        *memnet.Listener
}

func (c closing) Done() <-chan struct{} {
	_ = c.listener.Close()
	return nil
}

// A dial that races with the listener's end is refused, or its connection is reset:
// nobody will ever accept it.
func TestDialOfAListenerThatCloses(t *testing.T) {
	for range 50 {
		l := memnet.Listen("server")
		c, err := l.Dial(closing{context.Background(), l})
		if err != nil {
			continue
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, memnet.ErrCut) {
			t.Fatalf("nobody accepts the connection, and a read returns %v", err)
		}
		_ = c.Close()
	}
}
