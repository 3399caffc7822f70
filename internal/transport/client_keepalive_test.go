// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
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
func silences(t *testing.T, mute, patience time.Duration) (told []silence, err error) {
	t.Helper()
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

// A slowLink brings a connection's end 1 MB in a second, until it is torn.
type slowLink struct {
	*memnet.Conn
	arrived atomic.Uint64
	last    atomic.Int64 // when something arrived, in Unix nanoseconds
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
	l.last.Store(time.Now().UnixNano())
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
	r.client.unsent = func() (uint64, bool) { return r.client.out.taken.Load() - link.arrived.Load(), true }
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
	// What was on its way when the link tore arrives a little later.
	after, silent := time.Since(start), time.Since(time.Unix(0, link.last.Load()))
	if after < 2*time.Second || silent < 500*time.Millisecond || silent > time.Second {
		t.Errorf("given up after %v, %v after the last that arrived; want 2 s, and about 900 ms", after, silent)
	}
}

// muteRig connects through a slow link to a server that echoes, over a connection
// that cannot be asked. told is what OnSilent was told.
func muteRig(t *testing.T) (r *rig, link *slowLink, told *[]bool) {
	t.Helper()
	a, b := memnet.PipeSize(16 << 20)
	link, told = &slowLink{Conn: b, closed: make(chan struct{})}, new([]bool)
	r = newRig(t, a, link, ClientOptions{OnSilent: func(silent bool) { *told = append(*told, silent) }}, ServerOptions{
		Handler: func(context.Context, *ServerRequest) (Reply, error) { return Reply{}, nil },
	})
	if err := r.client.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, link, told
}

// A connection that takes a large request at once and does not tell how far it has
// come is given the time that a slow link needs, not for ever.
func TestSlowLinkThatTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, link, told := muteRig(t)
		large := &Request{Method: "M", Body: make([]byte, 3<<20)}
		start := time.Now()
		if _, err := r.client.Call(t.Context(), large); err != nil || len(*told) > 0 {
			t.Errorf("after %v: %v; told %v", time.Since(start), err, *told)
		}
		time.AfterFunc(time.Second, func() { link.torn.Store(true) })
		start = time.Now()
		_, err := r.client.Call(t.Context(), large)
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrKeepalive)
		// 12 s for what was handed over, 0.9 s for the silence behind it.
		if d := time.Since(start); d < 12*time.Second || d > 13500*time.Millisecond {
			t.Errorf("given up after %v, want 12.9 s", d)
		}
	})
}

// What was answered has arrived: a server that hangs after it is found as soon as
// any other.
func TestAnswersTellWhatHasArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := muteRig(t)
		for range 3 {
			if _, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 3<<20)}); err != nil {
				t.Fatal(err)
			}
		}
		r.clientEnd.(*memnet.Conn).Block()
		start := time.Now()
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrKeepalive)
		if d := time.Since(start); d > time.Second {
			t.Errorf("given up after %v, want 900 ms", d)
		}
	})
}

// A PONG tells the same, while the answer to what it followed is not there yet.
func TestPongTellsWhatHasArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.PipeSize(16 << 20)
		r := newRig(t, a, b, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
			<-ctx.Done()
			return Reply{}, ctx.Err()
		}})
		time.AfterFunc(5*time.Second, b.Block)
		start := time.Now()
		_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 4<<20)})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrKeepalive)
		if d := time.Since(start); d < 5500*time.Millisecond || d > 6*time.Second {
			t.Errorf("given up after %v, want 900 ms after the last PONG, which came before 5 s", d)
		}
	})
}

// A server that refuses a large request at its first piece has not got the rest.
func TestRefusalTellsOfTheHeadAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := acceptClient(t, ClientOptions{}, ok)
		go func() {
			h, _ := p.next()
			refusal := frame.AppendError(nil, &frame.Error{Code: frame.CodeUnavailable, Executed: frame.ExecutedNo})
			p.sendFrame(frame.TypeError, 0, h.StreamID, refusal)
		}()
		_, err := c.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 100<<10)})
		wantRemote(t, err, frame.CodeUnavailable, "", frame.ExecutedNo)
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		if c.confirmed > frame.MaxPrefaceBytes {
			t.Errorf("%d bytes are taken to have arrived, of %d", c.confirmed, c.out.queued)
		}
	})
}
