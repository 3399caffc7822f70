// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// pair runs a test in a bubble with the servers victim and other, of which calls
// prefer the victim, and a client that has seen both.
func pair(t *testing.T, tr *trial, test func(t *testing.T, c *rollcall.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		victim, other := tr.serve("victim:1", rollcall.ServerOptions{}), tr.serve("other:1", rollcall.ServerOptions{})
		c := tr.client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: victimFirst{}}})
		synctest.Wait()
		test(t, c)
		c.Close()
		victim.Close()
		other.Close()
	})
}

// idBody is the request of the call id.
func idBody(id uint64) *[]byte { return new(binary.BigEndian.AppendUint64(nil, id)) }

// attemptsOf returns how many attempts a call that failed made.
func attemptsOf(t *testing.T, err error) int {
	t.Helper()
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Report == nil {
		t.Fatalf("got %v, want an error with a report", err)
	}
	return len(e.Report.Attempts)
}

// When everything fails, retries are bounded: a fifth of the calls and ten per
// second, however many instances there are. A dial that is refused is no load for
// anybody, and bounded for each call alone: each instance is asked once.
func TestAttemptsWhenEverythingFails(t *testing.T) {
	const servers, perSecond, over = 5, 200, 20 * time.Second
	for name, refused := range map[string]bool{"dials are refused": true, "connections die": false} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t)
			tr.next = func(string) death { return death{refused: refused, server: 40} }
			synctest.Test(t, func(t *testing.T) {
				tr.t = t
				var list []*trialServer
				for i := range servers {
					list = append(list, tr.serve(fmt.Sprintf("server%d:1", i), rollcall.ServerOptions{}))
				}
				c := tr.client(rollcall.ClientOptions{})
				synctest.Wait()
				calls, attempts, failed := 0, 0, 0
				for begun := time.Now(); time.Since(begun) < over; time.Sleep(time.Second / perSecond) {
					calls++
					attempts++
					_, err := once.CallWith(context.Background(), c, idBody(uint64(calls)), rollcall.CallOptions{Idempotent: true})
					if err != nil {
						failed++
						attempts += attemptsOf(t, err) - 1
					}
				}
				most, says := 1.2*float64(calls)+10*over.Seconds(), "no further attempt: the retry budget is used up"
				if refused {
					most, says = servers*float64(calls), "5 attempts failed"
				}
				t.Logf("%d calls, %d failed, %d attempts: %.3f per call; the bound is %.0f", calls, failed, attempts, float64(attempts)/float64(calls), most)
				if float64(attempts) > most || failed < calls/2 {
					t.Errorf("%d attempts of %d calls, at most %.0f; %d failed", attempts, calls, most, failed)
				}
				_, err := once.CallWith(context.Background(), c, idBody(0), rollcall.CallOptions{Idempotent: true})
				wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, func() *rollcall.Error {
					target := &rollcall.Error{}
					_ = errors.As(err, &target)
					return target
				}().Executed, says)
				c.Close()
				for _, s := range list {
					s.Close()
				}
			})
		})
	}
}

// Where the only server hangs no call waits longer than it takes to find that out,
// first on the connection that stands and then on a new one.
func TestOnlyServerHangs(t *testing.T) {
	tr := newTrial(t)
	tr.work = func(ctx context.Context, _ uint64) { <-ctx.Done() }
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		s := tr.serve("server:1", rollcall.ServerOptions{})
		c := tr.client(rollcall.ClientOptions{})
		if err := c.Ready(context.Background()); err != nil {
			t.Fatal(err)
		}
		tr.mu.Lock()
		tr.next = func(string) death { return death{mute: true} } // of the connections to come
		tr.mu.Unlock()
		for _, conn := range tr.network.Conns("server:1") {
			conn.Block()
		}
		for id := range uint64(3) {
			begun := time.Now()
			err := tr.call(context.Background(), c, id, 0, true, rollcall.CallOptions{Idempotent: true})
			if took := time.Since(begun); err == nil || took > 2*time.Second {
				t.Errorf("call %d took %v: %v", id, took, err)
			}
		}
		c.Close()
		s.Close()
	})
}

// A call that waits for ready on a server that dies under each request is not
// sent without end: it waits for the budget, within its own deadline.
func TestWaitForReadyKeepsToTheBudget(t *testing.T) {
	const timeout = 5 * time.Second
	tr := newTrial(t)
	tr.next = func(string) death { return death{server: 20} }
	var executed atomic.Int64
	tr.work = func(context.Context, uint64) { executed.Add(1) }
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		s := tr.serve("server:1", rollcall.ServerOptions{})
		c := tr.client(rollcall.ClientOptions{})
		begun := time.Now()
		err := tr.call(context.Background(), c, 1, 0, true, rollcall.CallOptions{Idempotent: true, WaitForReady: true, Timeout: timeout})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != timeout {
			t.Errorf("after %v: %v", took, err)
		}
		if most := 1 + 1.2 + 10*(timeout.Seconds()+1); float64(executed.Load()) > most {
			t.Errorf("executed %d times, at most %v may be", executed.Load(), most)
		}
		c.Close()
		s.Close()
	})
}

func TestMaxAttempts(t *testing.T) {
	for most := range 3 {
		tr := newTrial(t)
		tr.next = func(string) death { return death{refused: true} }
		pair(t, tr, func(t *testing.T, c *rollcall.Client) {
			_, err := once.CallWith(context.Background(), c, idBody(1), rollcall.CallOptions{MaxAttempts: most})
			want := most
			if most == 0 {
				want = 2
			}
			if got := attemptsOf(t, err); got != want {
				t.Errorf("MaxAttempts %d: %d attempts, want %d: %v", most, got, want, err)
			}
		})
	}
}

// An attempt whose own time is up is followed by another where nothing can run
// twice, or may.
func TestAttemptTimeout(t *testing.T) {
	opts := rollcall.CallOptions{AttemptTimeout: 50 * time.Millisecond, Timeout: time.Second}
	for _, idempotent := range []bool{true, false} {
		tr := newTrial(t)
		var again atomic.Bool
		tr.work = func(ctx context.Context, _ uint64) {
			if !again.Swap(true) {
				<-ctx.Done()
				time.Sleep(time.Second) // the attempt has gone
			}
		}
		pair(t, tr, func(t *testing.T, c *rollcall.Client) {
			begun := time.Now()
			opts.Idempotent = idempotent
			err := tr.call(context.Background(), c, 1, 0, idempotent, opts)
			if elapsed := time.Since(begun); elapsed > 60*time.Millisecond {
				t.Errorf("idempotent %t: took %v", idempotent, elapsed)
			}
			if idempotent && err != nil {
				t.Errorf("idempotent: %v", err)
			}
			if !idempotent {
				wantError(t, err, rollcall.CodeDeadlineExceeded, rollcall.ReasonAttemptTimeout, rollcall.ExecutedMaybe, "own time")
			}
		})
		for _, wrong := range tr.check() {
			t.Error(wrong)
		}
	}
	// A connection that does not come in time has executed nothing.
	tr := newTrial(t)
	tr.next = func(addr string) death { return death{mute: addr == "victim:1"} }
	pair(t, tr, func(t *testing.T, c *rollcall.Client) {
		opts.Idempotent = false
		if err := tr.call(context.Background(), c, 1, 0, false, opts); err != nil {
			t.Error(err)
		}
	})
}

// A host that vanished keeps a call no longer than a look around, where another
// instance is connected.
func TestSlowDialIsNotWaitedFor(t *testing.T) {
	for name, opts := range map[string]rollcall.CallOptions{"plain": {}, "hedged": {Idempotent: true, Hedge: true}} {
		t.Run(name, func(t *testing.T) { testSlowDial(t, opts) })
	}
}

func testSlowDial(t *testing.T, opts rollcall.CallOptions) {
	t.Helper()
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		vanished := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "victim:1" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return tr.dial(ctx, network, addr)
		}
		other := tr.serve("other:1", rollcall.ServerOptions{})
		c, err := rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: &tr.registry, Dial: vanished, Balancing: balancer.Options{Policy: victimFirst{}}})
		if err != nil {
			t.Fatal(err)
		}
		call := func(id uint64) time.Duration {
			begun := time.Now()
			if err := tr.call(context.Background(), c, id, 0, opts.Idempotent, opts); err != nil {
				t.Error(err)
			}
			return time.Since(begun)
		}
		call(1) // connects the other
		victim := tr.serve("victim:1", rollcall.ServerOptions{})
		synctest.Wait()
		if took := call(2); took != 100*time.Millisecond {
			t.Errorf("took %v beside a connected instance, want 100ms", took)
		}
		time.Sleep(time.Second) // the dial has failed
		if took := call(3); took != 0 {
			t.Errorf("took %v after the dial had failed", took)
		}
		c.Close()
		other.Close()
		victim.Close()
	})
}

// A hedge is answered by another instance, the slow attempt is cancelled, and
// nothing of the two is mixed.
func TestHedge(t *testing.T) {
	tr := newTrial(t)
	var slow atomic.Bool
	cancelled := make(chan struct{})
	tr.work = func(ctx context.Context, _ uint64) {
		if slow.Swap(false) {
			info, _ := rollcall.InfoFromContext(ctx)
			info.ReplyMetadata = rollcall.Metadata{"from": "slow"}
			<-ctx.Done()
			close(cancelled)
			time.Sleep(time.Second) // the caller has gone
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	pair(t, tr, func(t *testing.T, c *rollcall.Client) {
		opts := rollcall.CallOptions{Idempotent: true, Hedge: true}
		call := func(id uint64, opts rollcall.CallOptions) time.Duration {
			begun := time.Now()
			if err := tr.call(context.Background(), c, id, 0, true, opts); err != nil {
				t.Error(err)
			}
			return time.Since(begun)
		}
		for id := range uint64(200) {
			call(id, opts)
		}
		slow.Store(true)
		var report rollcall.Report
		opts.Report = &report
		if took := call(1000, opts); took < 20*time.Millisecond || took > 25*time.Millisecond {
			t.Errorf("a hedged call took %v, want 10ms, the 99th percentile, and 10ms", took)
		}
		<-cancelled
		if report.Metadata != nil {
			t.Errorf("the reply has metadata of the slow attempt: %v", report.Metadata)
		}
		// Without budget, and where the call does not ask for it, there is none.
		for _, opts := range []rollcall.CallOptions{
			{Idempotent: true, Timeout: time.Second},
			{Hedge: true, Timeout: time.Second},
			{Idempotent: true, Hedge: true, MaxAttempts: 1, Timeout: time.Second},
		} {
			cancelled = make(chan struct{})
			slow.Store(true)
			_, err := once.CallWith(context.Background(), c, idBody(2000), opts)
			if !errors.Is(err, context.DeadlineExceeded) || attemptsOf(t, err) != 1 {
				t.Errorf("%+v: got %v, want a deadline that passed", opts, err)
			}
			<-cancelled
		}
	})
}

// Of a hedged call that fails both attempts tell, whichever ended first.
func TestHedgeThatMayHaveBeenExecuted(t *testing.T) {
	tr := newTrial(t)
	var hang atomic.Bool
	tr.work = func(ctx context.Context, _ uint64) {
		if hang.Load() {
			<-ctx.Done()
			time.Sleep(time.Second) // the caller has gone
		}
	}
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		other := tr.serve("other:1", rollcall.ServerOptions{})
		tr.next = func(addr string) death { return death{mute: addr == "victim:1"} }
		c := tr.client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: victimFirst{}}})
		opts := rollcall.CallOptions{Idempotent: true, Hedge: true, Timeout: 50 * time.Millisecond}
		for id := range uint64(200) {
			if err := tr.call(context.Background(), c, id, 0, true, opts); err != nil {
				t.Fatal(err)
			}
		}
		victim := tr.serve("victim:1", rollcall.ServerOptions{}) // whose preface does not come
		synctest.Wait()
		hang.Store(true)
		for id := range uint64(10) {
			err := tr.call(context.Background(), c, 1000+id, 0, true, opts)
			wantError(t, err, rollcall.CodeDeadlineExceeded, "", rollcall.ExecutedMaybe, "tried victim:1 (dial", "hedged to other:1 (wait")
		}
		c.Close()
		victim.Close()
		other.Close()
	})
	for _, wrong := range tr.check() {
		t.Error(wrong)
	}
}

// hashKeeper picks the first it may, and keeps the hashes it was given.
type hashKeeper struct {
	candidates []balancer.Candidate
	seen       *[]uint64
}

func (hashKeeper) Name() string { return "hash_keeper" }

func (k hashKeeper) NewPicker(candidates []balancer.Candidate, _ func() float64) balancer.Picker {
	return hashKeeper{candidates, k.seen}
}

func (k hashKeeper) Pick(info balancer.PickInfo) *balancer.Endpoint {
	*k.seen = append(*k.seen, info.Hash)
	return victimPicker(k.candidates).Pick(info)
}

// A hedge goes where the call's hash leads when the first instance is left out.
func TestHedgeFollowsTheHash(t *testing.T) {
	tr := newTrial(t)
	var slow atomic.Bool
	tr.work = func(ctx context.Context, _ uint64) {
		if slow.Swap(false) {
			<-ctx.Done()
			time.Sleep(time.Second) // the caller has gone
		}
	}
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		victim, other := tr.serve("victim:1", rollcall.ServerOptions{}), tr.serve("other:1", rollcall.ServerOptions{})
		var seen []uint64
		c := tr.client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: hashKeeper{seen: &seen}}})
		synctest.Wait()
		opts := rollcall.CallOptions{Idempotent: true, Hedge: true, Hash: 7}
		for id := range uint64(200) {
			slow.Store(id == 199)
			if err := tr.call(context.Background(), c, id, 0, true, opts); err != nil {
				t.Fatal(err)
			}
		}
		if want := slices.Repeat([]uint64{7}, 201); !slices.Equal(seen, want) {
			t.Errorf("picked by %v, want 201 times 7", seen)
		}
		c.Close()
		victim.Close()
		other.Close()
	})
}

// A stubbornCaller answers when it is ready to, whatever becomes of the caller.
type stubbornCaller func() (time.Duration, error)

func (c stubbornCaller) Call(context.Context, rollcall.Request) (rollcall.Reply, error) {
	pause, err := c()
	time.Sleep(pause)
	return rollcall.Reply{}, err
}

func (stubbornCaller) Close() error { return nil }

// The first answer to a hedged call counts, also where it is an error and the other
// attempt is answered all the same.
func TestHedgeKeepsTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempt atomic.Int64
		work := func() (time.Duration, error) {
			switch attempt.Add(1) {
			case 201: // the first one of the last call
				return 20 * time.Millisecond, &rollcall.Error{Code: rollcall.CodeNotFound, Executed: rollcall.ExecutedYes}
			case 202: // its hedge
				return 50 * time.Millisecond, nil
			}
			return 10 * time.Millisecond, nil
		}
		a, b := slowInstance, slowInstance
		b.Name, b.ID, b.Port = "y", "y", 2
		c, err := rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: listOf(a, b), Dial: pipe, Dialects: []rollcall.Dialect{{
			Protocol: "slow",
			Dial: func(context.Context, discovery.Instance, net.Conn) (rollcall.Caller, error) {
				return stubbornCaller(work), nil
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		opts := rollcall.CallOptions{Idempotent: true, Hedge: true}
		for range 200 {
			if _, err := c.Invoke(t.Context(), "M", nil, opts); err != nil {
				t.Fatal(err)
			}
		}
		_, err = c.Invoke(t.Context(), "M", nil, opts)
		wantError(t, err, rollcall.CodeNotFound, "", rollcall.ExecutedYes)
		if n := attempt.Load(); n != 202 {
			t.Errorf("%d attempts, want 202: one hedge", n)
		}
	})
}

// A call that waits for ready does not wait for a change where the instance is
// there, in the list or no longer: it tries again, or takes its answer.
func TestWaitForReadyOfWhoIsThere(t *testing.T) {
	for _, listed := range []bool{true, false} {
		t.Run(fmt.Sprintf("listed %t", listed), func(t *testing.T) { testWaitForReady(t, listed) })
	}
}

func testWaitForReady(t *testing.T, listed bool) {
	t.Helper()
	tr := newTrial(t)
	var hang atomic.Bool
	tr.work = func(ctx context.Context, _ uint64) {
		if hang.Swap(false) {
			<-ctx.Done()
			time.Sleep(time.Second) // the attempt has gone
		}
	}
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		s := tr.serve("server:1", rollcall.ServerOptions{})
		rollcall.Handle(s.Server, rollcall.Method[int, int]{Name: "Broken"}, func(context.Context, *int) (*int, error) {
			return nil, rollcall.Errorf(rollcall.CodeUnavailable, "BROKEN", "no database")
		})
		c := tr.client(rollcall.ClientOptions{})
		if !listed {
			if err := c.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			tr.registry.Set(nil)
			synctest.Wait()
			if counts := c.Snapshot().Counts; counts.Lingering != 1 {
				t.Errorf("got %v, want 1 lingering", counts)
			}
		}
		hang.Store(true)
		begun := time.Now()
		opts := rollcall.CallOptions{Idempotent: true, WaitForReady: true, Timeout: time.Minute, AttemptTimeout: 50 * time.Millisecond}
		if err := tr.call(context.Background(), c, 1, 0, true, opts); err != nil || time.Since(begun) != 150*time.Millisecond {
			t.Errorf("after %v: %v, want an answer after 50ms and 100ms", time.Since(begun), err)
		}
		begun = time.Now()
		for name, want := range map[string]struct {
			code     rollcall.Code
			reason   string
			executed rollcall.Executed
		}{
			"Broken":  {rollcall.CodeUnavailable, "BROKEN", rollcall.ExecutedYes},
			"Unknown": {rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, rollcall.ExecutedNo},
		} {
			_, err := rollcall.Method[int, int]{Name: name}.CallWith(context.Background(), c, new(1), opts)
			wantError(t, err, want.code, want.reason, want.executed)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("answers were waited for %v", took)
		}
		c.Close()
		s.Close()
	})
}
