// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// A silence is a call of OnSilent.
type silence struct {
	silent bool
	after  time.Duration
}

// silences makes a call to a server that is mute for a while, and returns what
// OnSilent was told, rounded to 100 ms, and how the call ended.
func silences(t *testing.T, mute time.Duration, patience time.Duration) (told []silence, err error) {
	a, b := memnet.Pipe()
	var start time.Time
	r := newRig(t, a, b, ClientOptions{OnSilent: func(silent bool) {
		told = append(told, silence{silent, time.Since(start).Truncate(100 * time.Millisecond)})
	}}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
		time.Sleep(10 * time.Second)
		return echo(ctx, req)
	}})
	if err := r.client.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	b.Block()
	time.AfterFunc(mute, b.Unblock)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = r.client.Call(ctx, &Request{Method: "M"})
	time.Sleep(time.Minute) // nobody calls: nobody is asked
	synctest.Wait()
	return told, err
}

// A peer is called silent when it has not answered a PING for an interval, and
// taken back when something comes; it is dead after one interval more.
func TestSilenceIsToldBeforeDeath(t *testing.T) {
	for _, tt := range []struct {
		name           string
		mute, patience time.Duration
		told           []silence
		dead           bool
	}{
		{"short", 500 * time.Millisecond, time.Minute, nil, false},
		{"longer", 750 * time.Millisecond, time.Minute, []silence{{true, 600 * time.Millisecond}, {false, 800 * time.Millisecond}}, false},
		{"for ever", time.Hour, time.Minute, []silence{{true, 600 * time.Millisecond}}, true},
		{"the caller leaves", time.Hour, 650 * time.Millisecond, []silence{{true, 600 * time.Millisecond}}, false},
		{"the caller leaves, something comes", 750 * time.Millisecond, 650 * time.Millisecond, []silence{{true, 600 * time.Millisecond}, {false, 800 * time.Millisecond}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told, err := silences(t, tt.mute, tt.patience)
				if !slices.Equal(told, tt.told) {
					t.Errorf("told %v, want %v", told, tt.told)
				}
				if tt.dead {
					wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrKeepalive)
				}
			})
		})
	}
}

// Bytes that nobody has read yet are known to be there.
func TestUnreadBytesAreSeen(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	raw := newRawWriter(client)
	if raw == nil {
		t.Skip("the sockets of this system are not written to directly")
	}
	if raw.unread() {
		t.Error("seen before anything was sent")
	}
	if _, err := server.Write([]byte("xy")); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	for _, want := range []bool{true, false} { // the first byte has come when it is read
		if _, err := client.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		if got := raw.unread(); got != want {
			t.Errorf("seen: %t, want %t", got, want)
		}
	}
	if newRawWriter(nil).unread() {
		t.Error("seen without a socket")
	}
}

// A slowLink brings a connection's end 1 MB in a second, until it is torn.
type slowLink struct {
	*memnet.Conn
	arrived atomic.Uint64
	torn    atomic.Bool
	once    sync.Once
	closed  chan struct{}
}

func (l *slowLink) Read(b []byte) (int, error) {
	if l.torn.Load() {
		<-l.closed
	}
	n, err := l.Conn.Read(b)
	time.Sleep(time.Duration(n) * time.Second / 1_000_000)
	l.arrived.Add(uint64(n))
	return n, err
}

func (l *slowLink) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// A large request on a slow link keeps the PING behind it from leaving, so that
// silence says nothing of the server while bytes still go out: from the queue, or,
// where a socket takes them all at once, from there. When none do any more it is
// dead like any other.
func TestSlowLinkIsNotSilence(t *testing.T) {
	for name, size := range map[string]int{"small socket": 64 << 10, "large socket": 16 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testSlowLink(t, size) })
		})
	}
}

func testSlowLink(t *testing.T, socketBytes int) {
	t.Helper()
	a, b := memnet.PipeSize(socketBytes)
	link := &slowLink{Conn: b, closed: make(chan struct{})}
	var told []bool
	r := newRig(t, a, link, ClientOptions{OnSilent: func(silent bool) { told = append(told, silent) }}, ServerOptions{
		Handler: func(context.Context, *ServerRequest) (Reply, error) { return Reply{}, nil },
	})
	if err := r.client.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As a socket does that counts what was acknowledged.
	r.client.out.unsent = func() uint64 { return r.client.out.taken.Load() - link.arrived.Load() }
	call := func() error {
		_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 4<<20)})
		return err
	}
	start := time.Now()
	if err := call(); err != nil || len(told) > 0 {
		t.Errorf("after %v: %v; told %v", time.Since(start), err, told)
	}
	time.AfterFunc(2*time.Second, func() { link.torn.Store(true) })
	start = time.Now()
	err := call()
	wantCallError(t, err, frame.ExecutedMaybe, 0, ErrKeepalive)
	if d := time.Since(start); d < 2*time.Second || d > 3*time.Second {
		t.Errorf("given up after %v, want 2 s and less than another", d)
	}
}

// A socket tells how much its peer has not acknowledged.
func TestUnsentBytesAreSeen(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	raw := newRawWriter(client)
	if raw == nil || runtime.GOOS != "linux" {
		t.Skip("the sockets of this system do not tell")
	}
	if n := raw.unsent(); n != 0 {
		t.Errorf("%d bytes before anything was sent", n)
	}
	const most = 1 << 20
	total := 0
	for n := most; n == most; total += n { // until neither kernel takes more
		var err error
		if n, err = raw.try(make([]byte, most)); err != nil {
			t.Fatal(err)
		}
	}
	if n := raw.unsent(); n == 0 || n > uint64(total) {
		t.Errorf("%d of %d bytes that nobody reads", n, total)
	}
	if _, err := io.CopyN(io.Discard, server, int64(total)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("x")); err != nil { // tells how far it has read
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if n := raw.unsent(); n != 0 {
		t.Errorf("%d bytes after all were read", n)
	}
	if newRawWriter(nil).unsent() != 0 {
		t.Error("seen without a socket")
	}
}
