// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// starvation is the environment variable with the time that
// TestLongStarvedMachine takes.
const starvation = "ROLLCALL_TEST_STARVATION"

// A fleet is servers in processes of their own, and a client of them under load.
type fleet struct {
	servers []*child
	client  *rollcall.Client
	stop    context.CancelFunc
	callers sync.WaitGroup

	mu      sync.Mutex // guards what follows
	calls   int
	longest time.Duration // of the calls since it was last set to 0
	errs    []error       // of idempotent calls
	other   []error       // of others
}

// startFleet starts servers, and callers that call them without a pause for
// breath; every other one calls what may not run twice.
func startFleet(t *testing.T, servers, callers int) *fleet {
	t.Helper()
	f := new(fleet)
	var addrs []string
	for range servers {
		s := startChild(t, asCommand, "serving on ", "bench", "serve", "--listen", "127.0.0.1:0")
		f.servers, addrs = append(f.servers, s), append(addrs, s.addr)
	}
	client, err := rollcall.NewClient("static://"+strings.Join(addrs, ","), rollcall.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	f.client = client
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	t.Cleanup(f.end)
	for i := range callers {
		f.callers.Go(func() { f.call(ctx, i%2 == 0) })
	}
	return f
}

func (f *fleet) end() {
	f.stop()
	f.callers.Wait()
}

// call calls until ctx ends.
func (f *fleet) call(ctx context.Context, idempotent bool) {
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		_, err := f.client.Invoke(context.Background(), benchEcho.Name, []byte("x"), rollcall.CallOptions{Idempotent: idempotent, Timeout: time.Minute})
		took := time.Since(begun)
		f.mu.Lock()
		f.calls++
		f.longest = max(f.longest, took)
		if err != nil && idempotent {
			f.errs = append(f.errs, err)
		} else if err != nil {
			f.other = append(f.other, err)
		}
		f.mu.Unlock()
		<-pace.C
	}
}

// await waits until a server's state is, or is not, usable, and returns how long
// that took.
func (f *fleet) await(t *testing.T, addr string, usable bool) time.Duration {
	t.Helper()
	begun := time.Now()
	timeout := time.After(time.Minute)
	for {
		changed := f.client.Changed()
		for _, e := range f.client.Snapshot().Endpoints {
			if e.Endpoint.Instance.Addr() == addr && (e.State == balancer.StateUsable) == usable {
				return time.Since(begun)
			}
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%s does not become usable: %t", addr, usable)
		}
	}
}

// checkErrors demands that no idempotent call failed, and that what failed of
// the others had been sent.
func (f *fleet) checkErrors(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range f.errs {
		t.Errorf("an idempotent call failed: %v", err)
	}
	for _, err := range f.other {
		var e *rollcall.Error
		if !errors.As(err, &e) || e.Executed != rollcall.ExecutedMaybe {
			t.Errorf("a call failed that was not perhaps executed: %v", err)
		}
	}
}

// A server that is stopped, while the kernel goes on to accept and to take bytes
// for it, is found by its silence and taken back when it goes on.
func TestHungServer(t *testing.T) { testHungServer(t, 10*time.Second, 10*time.Second) }

// The promise, on a machine that has the time for it.
func TestLongHungServer(t *testing.T) {
	realtest.Long(t)
	testHungServer(t, 1500*time.Millisecond, time.Second)
}

// testHungServer demands that no call takes longer than most, and that the
// server is avoided in time.
func testHungServer(t *testing.T, most, avoid time.Duration) {
	f := startFleet(t, 3, 16)
	victim := f.servers[0]
	f.awaitCalls(t, 1000)
	f.mu.Lock()
	before := f.longest
	f.longest = 0
	f.mu.Unlock()
	if err := victim.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	avoided := f.await(t, victim.addr, false)
	f.awaitCalls(t, 2000)
	if err := victim.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	back := f.await(t, victim.addr, true)
	f.end()
	f.checkErrors(t)
	t.Logf("%d calls, %d perhaps executed; longest before %v, after %v; avoided after %v, back after %v",
		f.calls, len(f.other), before, f.longest, avoided, back)
	if f.longest > most || avoided > avoid {
		t.Errorf("longest call %v, avoided after %v; want at most %v and %v", f.longest, avoided, most, avoid)
	}
}

// awaitCalls waits until that many more calls have ended.
func (f *fleet) awaitCalls(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun := -1
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		f.mu.Lock()
		calls := f.calls
		f.mu.Unlock()
		if begun < 0 {
			begun = calls
		}
		if calls >= begun+n {
			return
		}
	}
	t.Fatalf("%d calls did not end within a minute", n)
}

// No server is held for hung because the machine is short of CPU: four busy
// processes for each core beside the servers and the client.
func TestLongStarvedMachine(t *testing.T) {
	realtest.Long(t)
	over := 20 * time.Minute
	if text := os.Getenv(starvation); text != "" {
		var err error
		if over, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s=%q: give a duration", starvation, text)
		}
	}
	f := startFleet(t, 3, 16)
	f.awaitCalls(t, 1000)
	for range 4 * runtime.NumCPU() {
		burner := exec.Command("/bin/sh", "-c", "while :; do :; done")
		dieWithUs(burner)
		if err := burner.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			burner.Process.Kill() //nolint:errcheck // it has ended then
			burner.Wait()         //nolint:errcheck // it was killed
		})
	}
	var longest time.Duration // that a server was held for hung
	times := 0
	since := map[string]time.Time{}
	for end := time.After(over); ; {
		changed := f.client.Changed()
		now := time.Now()
		for _, e := range f.client.Snapshot().Endpoints {
			addr := e.Endpoint.Instance.Addr()
			switch at, held := since[addr]; {
			case e.State == balancer.StateSetAside && !held:
				since[addr] = now
				times++
			case e.State != balancer.StateSetAside && held:
				longest = max(longest, now.Sub(at))
				delete(since, addr)
			}
		}
		select {
		case <-changed:
			continue
		case <-end:
		}
		break
	}
	for _, at := range since {
		longest = max(longest, time.Since(at))
	}
	f.end()
	f.checkErrors(t)
	t.Logf("%v: %d calls, longest %v, %d perhaps executed; servers held for hung %d times, at most for %v", over, f.calls, f.longest, len(f.other), times, longest)
	if longest > 2*time.Second {
		t.Errorf("a healthy server was held for hung for %v", longest)
	}
}
