// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// burst makes n calls at once, each with a method of its own, and demands that all
// are answered.
func (h *neighbourhood) burst(t *testing.T, n int) {
	t.Helper()
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			if err := h.call(t.Context(), fmt.Sprintf("M%d", i), rollcall.CallOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

// slowly answers after a while.
func slowly(request string, _ int) string {
	time.Sleep(10 * time.Millisecond)
	return request
}

// The connections that a burst needs are there for the next one, and go when there is
// none.
func TestDialectKeepsWhatBurstsNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answer: slowly}, rollcall.Dialect{})
		defer h.close()
		for range 100 {
			h.burst(t, 64)
			time.Sleep(10 * time.Millisecond)
		}
		if dialled, open := h.dialled.Load(), h.open.Load(); dialled != 64 || open != 64 {
			t.Errorf("%d connections, %d of them open, for bursts of 64, want 64", dialled, open)
		}
		for range 31 {
			h.burst(t, 3)
			time.Sleep(time.Second)
		}
		if dialled, open := h.dialled.Load(), h.open.Load(); dialled != 64 || open != 3 {
			t.Errorf("%d connections, %d of them open, 30 s after the bursts of 64, want 64 and 3", dialled, open)
		}
	})
}

// What an extraordinary burst has opened is not kept beyond a bound.
func TestDialectKeepsABoundedNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answer: slowly}, rollcall.Dialect{})
		defer h.close()
		h.burst(t, 1100)
		synctest.Wait()
		if dialled, open := h.dialled.Load(), h.open.Load(); dialled != 1100 || open != 1024 {
			t.Errorf("%d connections, %d of them open, want 1100 and 1024", dialled, open)
		}
	})
}

// A holding is a neighbourhood whose neighbour answers a request when the test says so.
type holding struct {
	*neighbourhood
	begun []string // in the order of their arrival
	mu    sync.Mutex
	next  chan struct{}
	told  chan string
}

func holdInMemory(t *testing.T, d rollcall.Dialect) *holding {
	t.Helper()
	h := &holding{next: make(chan struct{}), told: make(chan string, 100)}
	h.neighbourhood = inMemory(t, &neighbour{answer: func(request string, _ int) string {
		h.mu.Lock()
		h.begun = append(h.begun, request[:len(request)-1])
		h.mu.Unlock()
		<-h.next
		return request
	}}, d)
	return h
}

// begin begins a call, and returns when it has come as far as it can.
func (h *holding) begin(ctx context.Context, method string, opts rollcall.CallOptions) {
	go func() {
		if err := h.call(ctx, method, opts); err != nil {
			method += ": " + err.Error()
		}
		h.told <- method
	}()
	synctest.Wait()
}

// release lets n requests be answered, one after the other.
func (h *holding) release(n int) {
	for range n {
		h.next <- struct{}{}
		synctest.Wait()
	}
}

func (h *holding) wantBegun(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.begun, want) {
		t.Errorf("the neighbour has got %v, want %v", h.begun, want)
	}
}

// Beyond MaxConnections calls wait, the first comes first; in an overload the newest.
func TestDialectMaxConnections(t *testing.T) {
	for name, tt := range map[string]struct {
		wait time.Duration
		want []string
	}{
		"a moment":    {50 * time.Millisecond, []string{"a", "b", "c", "d", "e"}},
		"an overload": {150 * time.Millisecond, []string{"a", "b", "e", "d", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := holdInMemory(t, rollcall.Dialect{MaxConnections: 2})
				defer h.close()
				for _, method := range []string{"a", "b", "c", "d", "e"} {
					h.begin(t.Context(), method, rollcall.CallOptions{})
				}
				h.wantBegun(t, "a", "b")
				time.Sleep(tt.wait)
				h.release(5)
				h.wantBegun(t, tt.want...)
				for range 5 {
					if told := <-h.told; len(told) > 1 {
						t.Error(told)
					}
				}
				if n := h.most.Load(); n != 2 {
					t.Errorf("%d connections at once, want 2", n)
				}
			})
		})
	}
}

// Who waits in vain is told while there is time left, or when his context ends, and
// his call is surely not executed.
func TestDialectWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdInMemory(t, rollcall.Dialect{MaxConnections: 1})
		defer h.close()
		h.begin(t.Context(), "a", rollcall.CallOptions{})

		begun := time.Now()
		err := h.call(t.Context(), "late", rollcall.CallOptions{Timeout: time.Second, MaxAttempts: 1})
		wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonBusy, rollcall.ExecutedNo, "half of the time")
		if took := time.Since(begun); took != 500*time.Millisecond {
			t.Errorf("it waited %v, want 500ms", took)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		err = h.call(ctx, "gone", rollcall.CallOptions{})
		wantError(t, err, rollcall.CodeCanceled, "", rollcall.ExecutedNo)

		h.wantUsable(t, true)
		h.release(1)
		h.begin(t.Context(), "b", rollcall.CallOptions{})
		h.wantBegun(t, "a", "b")
		h.release(1)
	})
}

// An instance that leaves for good lets those go who wait for it.
func TestDialectWaitEndsWithTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdInMemory(t, rollcall.Dialect{MaxConnections: 1})
		defer h.close()
		h.begin(t.Context(), "a", rollcall.CallOptions{})
		h.begin(t.Context(), "b", rollcall.CallOptions{})
		gone := slowInstance
		gone.Weight = 0 // disabled: it is forgotten when it leaves
		h.list.Set([]discovery.Instance{gone})
		synctest.Wait()
		h.list.Set(nil)
		synctest.Wait()
		if told := <-h.told; told[0] != 'b' {
			t.Errorf("the first that ends is %q, want b", told)
		}
		h.release(1)
		if told := <-h.told; told != "a" {
			t.Errorf("the call that was under way ends with %q", told)
		}
		synctest.Wait()
		if n := h.open.Load(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		h.wantBegun(t, "a")
	})
}

// Who waits is served though the connections that he waits for come to nothing: where
// each ends after its answer, others are dialled.
func TestDialectWaitOutlivesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answers: 1}, rollcall.Dialect{MaxConnections: 2})
		defer h.close()
		var calls sync.WaitGroup
		for i := range 20 {
			calls.Go(func() {
				if err := h.call(t.Context(), fmt.Sprintf("M%d", i), rollcall.CallOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if most := h.most.Load(); most > 3 { // one may be closed here and not yet there
			t.Errorf("%d connections at once, want 2", most)
		}
	})
}

// A connection that carries several calls is shared by as many, and by no more.
func TestDialectCallsPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answer: slowly}, rollcall.Dialect{CallsPerConnection: 50})
		defer h.close()
		h.burst(t, 50)
		if n := h.dialled.Load(); n != 1 {
			t.Errorf("%d connections for 50 calls, want 1", n)
		}
		h.burst(t, 50)
		if n := h.dialled.Load(); n != 1 {
			t.Errorf("%d connections for 50 calls more, want 1", n)
		}
		h.burst(t, 101)
		if n := h.dialled.Load(); n != 3 {
			t.Errorf("%d connections for 101 calls, want 3", n)
		}
		if s := h.State().Instances[0]; s.Connections != 3 || !s.Connected {
			t.Errorf("the client has %d connections, connected: %t, want 3", s.Connections, s.Connected)
		}
	})
}

// With a bound on connections as well, calls wait beyond the product.
func TestDialectSharedConnectionsAreABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdInMemory(t, rollcall.Dialect{CallsPerConnection: 2, MaxConnections: 2})
		defer h.close()
		for i := range 6 {
			h.begin(t.Context(), string(rune('a'+i)), rollcall.CallOptions{})
		}
		h.wantBegun(t, "a", "b", "c", "d")
		h.release(6)
		h.wantBegun(t, "a", "b", "c", "d", "e", "f")
		if n := h.dialled.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// A call that ends before its answer leaves a shared connection to the others; where
// nothing at all came on it until a deadline it gets no further ones.
func TestDialectSharedConnectionOutlivesACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdInMemory(t, rollcall.Dialect{CallsPerConnection: 10})
		defer h.close()
		h.begin(t.Context(), "a", rollcall.CallOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		h.begin(ctx, "canceled", rollcall.CallOptions{})
		cancel()
		if err := <-h.told; err[:9] != "canceled:" {
			t.Errorf("got %s", err)
		}
		h.begin(t.Context(), "b", rollcall.CallOptions{})
		if n := h.dialled.Load(); n != 1 {
			t.Errorf("%d connections after a call that was cancelled, want 1", n)
		}
		err := h.call(t.Context(), "late", rollcall.CallOptions{Timeout: time.Second})
		wantError(t, err, rollcall.CodeDeadlineExceeded, "", rollcall.ExecutedMaybe)
		h.wantUsable(t, true)
		h.begin(t.Context(), "c", rollcall.CallOptions{})
		if n := h.dialled.Load(); n != 2 {
			t.Errorf("%d connections after a second of silence, want 2", n)
		}
		h.release(5) // the calls that were given up too
		ended := []string{<-h.told, <-h.told, <-h.told}
		slices.Sort(ended)
		if !slices.Equal(ended, []string{"a", "b", "c"}) {
			t.Errorf("the others end with %v", ended)
		}
		synctest.Wait()
		if n := h.open.Load(); n != 1 {
			t.Errorf("%d connections are open, want that of the last call alone", n)
		}
	})
}

// The end of a shared connection ends the calls on it alone.
func TestDialectSharedConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answer: func(request string, _ int) string {
			if request == "end\n" {
				return ""
			}
			return slowly(request, 0)
		}}, rollcall.Dialect{CallsPerConnection: 10})
		defer h.close()
		h.burst(t, 5)
		err := h.call(t.Context(), "end", rollcall.CallOptions{})
		wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedMaybe)
		h.wantUsable(t, true) // the connection was an old one
		h.burst(t, 5)
		if n := h.dialled.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// A dial that fails where there is no connection fails for all who wait: nobody waits
// for what never comes, and each in turn for a dial of his own.
func TestDialectDialFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{path: time.Millisecond}, rollcall.Dialect{MaxConnections: 1})
		defer h.close()
		h.Listener.Close()
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				err := h.call(t.Context(), "M", rollcall.CallOptions{})
				wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, "refused")
			})
		}
		calls.Wait()
		if n := h.tried.Load(); n > 2 { // a probe may have followed
			t.Errorf("%d dials for 10 calls that came at once, want 1", n)
		}
		h.wantUsable(t, false)
	})
}
