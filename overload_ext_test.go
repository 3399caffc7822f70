// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
)

// A rush is a load on a server whose handler needs a lock for 10 ms and heeds no
// deadline: calls that come at even distances, and how they ended.
type rush struct {
	t      *testing.T
	trial  *trial
	client *rollcall.Client
	wg     sync.WaitGroup
	id     uint64

	mu   sync.Mutex
	ends map[string]int
}

const lockTime, patienceOfCallers = 10 * time.Millisecond, 300 * time.Millisecond

func inRush(t *testing.T, opts rollcall.ServerOptions, test func(*rush)) {
	t.Helper()
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		lock := make(chan struct{}, 1)
		tr.work = func(context.Context, uint64) {
			lock <- struct{}{}
			time.Sleep(lockTime)
			<-lock
		}
		s := tr.serve("server:1", opts)
		r := &rush{t: t, trial: tr, client: tr.client(rollcall.ClientOptions{}), ends: map[string]int{}}
		test(r)
		r.wg.Wait()
		time.Sleep(time.Minute) // for handlers whose callers have gone
		r.client.Close()
		s.Close()
	})
	for _, wrong := range tr.check() {
		t.Error(wrong)
	}
}

// come lets calls come for a while, each after a pause.
func (r *rush) come(every, during time.Duration, opts rollcall.CallOptions) {
	opts.Timeout = patienceOfCallers
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(every) {
		r.id++
		id := r.id
		r.wg.Go(func() {
			err := r.trial.call(context.Background(), r.client, id, 0, false, opts)
			end := "in time"
			if e, ok := errors.AsType[*rollcall.Error](err); ok {
				if end = e.Reason; end == "" {
					end = e.Code.String()
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ends[end]++
		})
	}
}

// take returns how calls have ended since it was last called.
func (r *rush) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	ends := maps.Clone(r.ends)
	clear(r.ends)
	return ends
}

// A server that is asked for twice as much as it can do goes on doing what it can,
// refuses the rest without having executed it, and is as it was a second after the
// load has fallen.
func TestOverload(t *testing.T) {
	inRush(t, rollcall.ServerOptions{}, func(r *rush) {
		r.come(5*time.Millisecond, 8*time.Second, rollcall.CallOptions{})
		if got, most := r.take(), int(8*time.Second/lockTime); float64(got["in time"]) < 0.85*float64(most) || got[rollcall.ReasonBusy] < most/2 {
			t.Errorf("in the rush: got %v, want nearly %d in time and most others BUSY", got, most)
		}
		r.come(20*time.Millisecond, time.Second, rollcall.CallOptions{})
		r.take()
		r.come(20*time.Millisecond, 8*time.Second, rollcall.CallOptions{})
		if got := r.take(); len(got) != 1 || got["in time"] == 0 {
			t.Errorf("after it: got %v, want all in time", got)
		}
	})
}

// Without it the same server does next to nothing for those who call.
func TestKeepAllCalls(t *testing.T) {
	inRush(t, rollcall.ServerOptions{KeepAllCalls: true}, func(r *rush) {
		r.come(5*time.Millisecond, 8*time.Second, rollcall.CallOptions{})
		if got := r.take(); got["in time"] > 100 || got[rollcall.ReasonBusy] > 0 {
			t.Errorf("got %v, want next to none in time, and none refused", got)
		}
	})
}

// In an overload sheddable calls go first and critical ones last.
func TestPriority(t *testing.T) {
	inRush(t, rollcall.ServerOptions{}, func(r *rush) {
		r.come(5*time.Millisecond, 3*time.Second, rollcall.CallOptions{})
		var load sync.WaitGroup
		load.Go(func() { r.come(5*time.Millisecond, 5*time.Second, rollcall.CallOptions{}) })
		rushes := map[string]*rush{}
		for _, priority := range []string{rollcall.PriorityCritical, rollcall.PrioritySheddable} {
			one := &rush{t: t, trial: r.trial, client: r.client, ends: map[string]int{}, id: 1 << 20 * uint64(1+len(rushes))}
			rushes[priority] = one
			load.Go(func() {
				one.come(50*time.Millisecond, 5*time.Second, rollcall.CallOptions{Metadata: rollcall.Metadata{rollcall.MetadataPriority: priority}})
				one.wg.Wait()
			})
		}
		load.Wait()
		critical, sheddable := rushes[rollcall.PriorityCritical].take(), rushes[rollcall.PrioritySheddable].take()
		if critical["in time"] < 95 {
			t.Errorf("critical: got %v, want nearly all of 100 in time", critical)
		}
		if sheddable["in time"] > 20 {
			t.Errorf("sheddable: got %v, want nearly all refused", sheddable)
		}
	})
}

// Who knows how many calls a server or a method can have in hand says so.
func TestMaxCalls(t *testing.T) {
	for name, opts := range map[string]rollcall.ServerOptions{
		"of the server":    {MaxCalls: 2},
		"of the method":    {MethodMaxCalls: map[string]int{"Once": 2, "Other": 1}},
		"of a free server": {},
	} {
		t.Run(name, func(t *testing.T) {
			inRush(t, opts, func(r *rush) {
				for range 3 {
					r.come(time.Nanosecond, 1, rollcall.CallOptions{})
				}
				r.wg.Wait()
				want := map[string]int{"in time": 2, rollcall.ReasonBusy: 1}
				if name == "of a free server" {
					want = map[string]int{"in time": 3}
				}
				if got := r.take(); !maps.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				r.come(time.Nanosecond, 1, rollcall.CallOptions{})
				r.wg.Wait()
				if got := r.take(); got["in time"] != 1 {
					t.Errorf("when they have ended: got %v, want it answered", got)
				}
			})
		})
	}
}

// Calls in other formats are counted and refused as Rollcall's own are; Rollcall's
// own methods are not.
func TestMaxCallsOfInvoke(t *testing.T) {
	s := rollcall.NewServer(rollcall.ServerOptions{MaxCalls: 1})
	inside, leave := make(chan struct{}), make(chan struct{})
	rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "Hold"}, func(context.Context, *[]byte) (*[]byte, error) {
		inside <- struct{}{}
		<-leave
		return nil, nil
	})
	var held sync.WaitGroup
	held.Go(func() {
		if _, err := s.Invoke(t.Context(), rollcall.Request{Method: "Hold"}, rollcall.Peer{}); err != nil {
			t.Error(err)
		}
	})
	<-inside
	_, err := s.Invoke(t.Context(), rollcall.Request{Method: "Hold"}, rollcall.Peer{})
	if !errors.Is(err, &rollcall.Error{Code: rollcall.CodeUnavailable, Reason: rollcall.ReasonBusy}) {
		t.Errorf("got %v, want Unavailable BUSY", err)
	}
	if _, err := s.Invoke(t.Context(), rollcall.Request{Method: rollcall.HealthMethod.Name, Codec: rollcall.JSON.ID(), Body: []byte("{}")}, rollcall.Peer{}); err != nil {
		t.Errorf("the health of a busy server: %v", err)
	}
	close(leave)
	held.Wait()
}
