// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A lineup is a connection with room for two calls, both held by the server, in a
// synctest bubble; others stand in line.
type lineup struct {
	t      *testing.T
	client *ClientConn
	line   Line
	end    chan struct{} // ends a call that the server holds
	told   chan string   // how the calls in line end
}

func inLine(t *testing.T, test func(*testing.T, *lineup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lineup{t: t, end: make(chan struct{}), told: make(chan string, 100)}
		r := memRig(t, ClientOptions{MaxStreams: 2, Line: &l.line}, ServerOptions{MaxMessageBytes: 10, Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			<-l.end
			return echo(ctx, req)
		}})
		defer close(l.end)
		l.client = r.client
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			go r.client.Call(t.Context(), &Request{Method: "M"}) //nolint:errcheck // they fill the connection
		}
		synctest.Wait()
		test(t, l)
	})
}

// stand lets a call stand in line.
func (l *lineup) stand(ctx context.Context, name string, body ...byte) {
	go func() {
		conn, err := l.line.Wait(ctx, func() []*ClientConn { return []*ClientConn{l.client} })
		if err == nil {
			_, err = conn.CallReserved(ctx, &Request{Method: "M", Body: body})
		}
		if err != nil {
			name = fmt.Sprintf("%s: %v", name, err)
		}
		l.told <- name
	}()
	synctest.Wait()
}

// finish ends so many of the calls that the server holds.
func (l *lineup) finish(n int) {
	for range n {
		l.end <- struct{}{}
		synctest.Wait()
	}
}

// endings returns how the calls in line have ended since it was last called.
func (l *lineup) endings() []string {
	synctest.Wait()
	var got []string
	for len(l.told) > 0 {
		got = append(got, <-l.told)
	}
	return got
}

func (l *lineup) want(want ...string) {
	l.t.Helper()
	if got := l.endings(); !slices.Equal(got, want) {
		l.t.Errorf("got %q, want %q", got, want)
	}
}

// Who waits for a place gets it in turn, and whoever comes later does not overtake.
func TestLine(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		l.stand(t.Context(), "first")
		l.stand(t.Context(), "second")
		l.finish(1)
		if _, err := l.client.Call(t.Context(), &Request{Method: "M"}); !errors.Is(err, ErrTooManyStreams) {
			t.Errorf("a call beside the line: got %v, want %v", err, ErrTooManyStreams)
		}
		l.finish(2)
		l.want("first")
		l.finish(1)
		l.want("second")
	})
}

// A line that has no end is an overload: the newest comes first.
func TestLineUnderPressure(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		for _, name := range []string{"a", "b", "c"} {
			l.stand(t.Context(), name)
		}
		time.Sleep(pressureAfter + 1)
		l.stand(t.Context(), "d")
		l.finish(5) // the two before the line, and three of it
		l.want("d", "c", "b")
		// The line has ended, and the next one begins as one of a moment.
		l.stand(t.Context(), "e")
		l.finish(1)
		l.want("a")
	})
}

// One that gives up leaves the line; one whose turn comes and who cannot go hands
// the place on.
func TestLinePassesPlacesOn(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		ctx, cancel := context.WithCancel(t.Context())
		l.stand(ctx, "gone")
		l.stand(t.Context(), "large", make([]byte, 11)...)
		l.stand(t.Context(), "last")
		cancel()
		l.want("gone: context canceled")
		l.finish(1)
		l.want("large: call failed in phase queue, executed: no: frame: message of 11 bytes exceeds the limit of 10 bytes: send less, or raise the receiver's limit")
		l.finish(2)
		l.want("last")
	})
}

// The wait is bounded: by half of the time that a call has, and by the length of
// the line, which the oldest leaves for the newest.
func TestLineIsBounded(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.stand(ctx, "a")
		time.Sleep(500*time.Millisecond - 1)
		l.want()
		time.Sleep(time.Nanosecond)
		l.want("a: transport: too many calls for the connection: 1 wait for a place among the calls in flight: no place in 500ms, half of the time that was left")
		for range maxWaiting {
			l.line.queue.Push(t.Context(), false)
		}
		first := l.line.queue.first
		l.stand(t.Context(), "newest")
		if <-first.done; !errors.Is(first.err, ErrBusy) || l.line.queue.Len() != maxWaiting {
			t.Errorf("the oldest was told %v, and %d wait", first.err, l.line.queue.Len())
		}
		l.line.Dismiss(ErrClosed)
		l.want("newest: transport: connection closed")
	})
}

// While it is the processor that there is not enough of, a line is kept short: the
// oldest go, and a newcomer does not stand behind many.
func TestLineWhereTheProcessorIsShort(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		for range shortLine + 10 {
			l.line.queue.Push(t.Context(), false)
		}
		first := l.line.queue.first
		measure := func(wait time.Duration) {
			begun := time.Since(epoch)
			time.Sleep(wait)
			l.line.lag.observe(begun)
		}
		measure(mostLag)
		measure(lagLasts - 1)
		l.stand(t.Context(), "a")
		l.want()
		measure(mostLag) // it is well again
		measure(lagLasts)
		l.stand(t.Context(), "b")
		l.want("b: transport: too many calls for the connection, and this process has more to do than its processors can")
		if <-first.done; !errors.Is(first.err, ErrBusy) || l.line.queue.Len() != shortLine {
			t.Errorf("the oldest was told %v, and %d wait, want %d", first.err, l.line.queue.Len(), shortLine)
		}
		l.line.Dismiss(ErrClosed)
		l.want("a: transport: connection closed")
	})
}

// A call holds its place until its caller has gone on, and one that is full refuses
// without a lock.
func TestPlaceIsHeldUntilTheCallerGoesOn(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		l.client.out.mu.Lock()
		_, err := l.client.Call(t.Context(), &Request{Method: "M"})
		l.client.out.mu.Unlock()
		const want = "call failed in phase queue, executed: no: transport: too many calls in flight on the connection: the limit is 2"
		if !errors.Is(err, ErrTooManyStreams) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		l.finish(1)
		if got := l.client.places.Load(); got != 1 {
			t.Errorf("one of two calls has been answered: %d places are taken, want 1", got)
		}
	})
}

// The end of the last connection ends the waiting; without one nobody waits.
func TestLineEnds(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		l.stand(t.Context(), "cut")
		l.line.Dismiss(ErrPeerClosed)
		l.want("cut: transport: connection closed by the peer")
		if _, err := l.line.Wait(t.Context(), func() []*ClientConn { return nil }); !errors.Is(err, ErrTooManyStreams) {
			t.Errorf("without a connection: got %v, want %v", err, ErrTooManyStreams)
		}
		if n := l.line.queue.Len(); n != 0 {
			t.Errorf("%d stand in line, want none", n)
		}
	})
}

// A line is one for all connections: whichever has room first takes the first.
func TestLineOfTwoConnections(t *testing.T) {
	inLine(t, func(t *testing.T, l *lineup) {
		l.stand(t.Context(), "a")
		l.stand(t.Context(), "b")
		l.stand(t.Context(), "c")
		other := memRig(t, ClientOptions{MaxStreams: 2, Line: &l.line}, ServerOptions{Handler: echo})
		if err := other.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := l.endings(); len(got) != 3 { // they are answered side by side
			t.Errorf("got %q, want a, b and c", got)
		}
	})
}
