// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
	"github.com/rollcall-rpc/rollcall/internal/pause"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A rollout is a service of server processes under load from a client of its own.
type rollout struct {
	t       *testing.T
	target  string
	log     string // of what is executed
	client  *rollcall.Client
	servers []*child

	ids  atomic.Uint64
	stop func() // the callers

	mu       sync.Mutex // guards what follows
	failed   []error
	answered []uint64
	entries  map[string]map[string]uint64 // by address and entry: the greatest id that was answered there
	changed  chan struct{}                // closed at the next answer of another entry
}

// patience bounds every wait for an event: it is what a hanging test takes to fail.
const patience = 30 * time.Second

// startRollout starts the servers and a client that knows them all.
func startRollout(t *testing.T, target string, servers int) *rollout {
	t.Helper()
	r := &rollout{
		t: t, target: target, log: filepath.Join(t.TempDir(), "executed"),
		entries: map[string]map[string]uint64{}, changed: make(chan struct{}),
	}
	for range servers {
		r.servers = append(r.servers, r.serve("127.0.0.1:0"))
	}
	var err error
	if r.client, err = rollcall.NewClient(target, rollcall.ClientOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	r.await("every server is usable", func(s *balancer.Snapshot) bool { return s.Counts.Usable == servers })
	return r
}

func (r *rollout) serve(listen string) *child {
	r.t.Helper()
	return startChild(r.t, asRolloutServer, "serving ", r.target, listen, r.log)
}

// await waits until the client knows something.
func (r *rollout) await(what string, ok func(*balancer.Snapshot) bool) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		changed := r.client.Changed()
		if ok(r.client.Snapshot()) {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			r.t.Fatalf("not in %v: %s; it is %v", patience, what, r.client.Snapshot().Counts)
		}
	}
}

// load starts callers, every second one of a method that is not idempotent.
func (r *rollout) load(callers int) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for i := range callers {
		method := []rollcall.Method[noted, noted]{onceMethod, againMethod}[i%2]
		work.Go(func() {
			for pause.For(ctx, time.Millisecond) == nil {
				r.call(method)
			}
		})
	}
	r.stop = sync.OnceFunc(func() { cancel(); work.Wait() })
	r.t.Cleanup(r.stop)
}

func (r *rollout) call(method rollcall.Method[noted, noted]) {
	id := r.ids.Add(1)
	var report rollcall.Report
	got, err := method.CallWith(context.Background(), r.client, &noted{id}, rollcall.CallOptions{Timeout: patience, Report: &report})
	if err == nil && got.ID != id {
		err = fmt.Errorf("call %d was answered as %d", id, got.ID)
	}
	by := &report.Answered
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = append(r.failed, err)
		return
	}
	r.answered = append(r.answered, id)
	entries := r.entries[by.Addr()]
	if entries == nil {
		entries = map[string]uint64{}
		r.entries[by.Addr()] = entries
	}
	if _, known := entries[by.Name]; !known {
		close(r.changed)
		r.changed = make(chan struct{})
	}
	entries[by.Name] = max(entries[by.Name], id)
}

// awaitEntries waits until calls were answered by so many entries of a server, one
// for each time that it was started.
func (r *rollout) awaitEntries(addr string, want int) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		n, changed := len(r.entries[addr]), r.changed
		r.mu.Unlock()
		if n == want {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			r.t.Fatalf("%s has answered as %d entries in %v, want %d", addr, n, patience, want)
		}
	}
}

// last returns the greatest id that a server has answered.
func (r *rollout) last(addr string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last uint64
	for _, id := range r.entries[addr] {
		last = max(last, id)
	}
	return last
}

// check ends the load, of which no call may have failed, and none executed twice
// or answered without being executed.
func (r *rollout) check() {
	r.t.Helper()
	r.stop()
	for _, err := range r.failed[:min(len(r.failed), 5)] {
		r.t.Errorf("%d of %d calls failed: %v", len(r.failed), r.ids.Load(), err)
	}
	counts, err := execlog.Read(r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	if twice := execlog.Twice(counts); len(twice) > 0 {
		r.t.Errorf("executed twice: %v", twice)
	}
	for _, id := range r.answered {
		if counts[id] == 0 {
			r.t.Errorf("call %d was answered and not executed", id)
		}
	}
	r.t.Logf("%d calls", len(r.answered))
}

// A rolling restart of every server, as a deployment does it, fails no call, be
// its method idempotent or not; nor does a restart of the registry in between,
// which the embedded one has done in no time.
func TestRollingRestart(t *testing.T) {
	embedded := func(t *testing.T) (addr string, restart func()) {
		s := zktest.Start(t)
		return s.Addr(), func() { s.Stop(); s.Restart() }
	}
	apache := func(t *testing.T) (addr string, restart func()) {
		return realtest.Apache(t).Addr(), func() {}
	}
	for name, start := range map[string]func(*testing.T) (string, func()){"zktest": embedded, "apache": apache} {
		t.Run(name, func(t *testing.T) {
			registry, restart := start(t)
			r := startRollout(t, "zk://"+registry+"/rpc", 3)
			r.load(8)
			for i, c := range r.servers {
				r.awaitEntries(c.addr, 1)
				if i == 1 {
					restart()
				}
				if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if err := c.cmd.Wait(); err != nil {
					t.Errorf("a server that was told to end: %v; stderr:\n%s", err, c.stderr.String())
				}
				r.servers[i] = r.serve(c.addr)
				r.awaitEntries(c.addr, 2)
			}
			r.check()
		})
	}
}

// Draining by an operator takes an instance out of the choice of a running client
// at once, lets the call in flight end, outlives a restart of the server, and
// undraining brings it back.
func TestDrainUnderLoad(t *testing.T) {
	r := startRollout(t, zktest.Start(t).Target("/rpc"), 2)
	r.load(4)
	out, other := r.servers[0], r.servers[1]
	r.awaitEntries(out.addr, 1)
	r.awaitEntries(other.addr, 1)
	pinned := rollcall.CallOptions{Instance: out.addr, Timeout: patience}
	held := make(chan error, 1)
	go func() {
		_, err := holdMethod.CallWith(context.Background(), r.client, &noted{r.ids.Add(1)}, pinned)
		held <- err
	}()
	if _, err := heldMethod.CallWith(t.Context(), r.client, &noted{}, pinned); err != nil {
		t.Fatal(err)
	}

	command(t, "drain", r.target, out.addr, "--reason", "a test").check(t, statusOK, []string{"1 of 2 instances get calls"}, nil)
	r.await("the client knows", func(s *balancer.Snapshot) bool { return s.Counts.Drained == 1 })
	from := r.ids.Load() // a call with a greater id begins later
	r.call(onceMethod)
	r.call(againMethod)
	if _, err := releaseMethod.CallWith(t.Context(), r.client, &noted{}, pinned); err != nil {
		t.Fatal(err)
	}
	if err := <-held; err != nil {
		t.Errorf("the call in flight: %v", err)
	}

	// Its server may be restarted meanwhile: still nobody calls it.
	entry := r.entryOf(out.addr)
	if err := out.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := out.cmd.Wait(); err != nil {
		t.Error(err)
	}
	r.servers[0] = r.serve(out.addr)
	r.await("the next entry is drained too", func(*balancer.Snapshot) bool {
		now := r.entryOf(out.addr)
		return now != "" && now != entry && r.client.Snapshot().Counts.Drained == 1
	})
	if last := r.last(out.addr); last > from {
		t.Errorf("call %d went to the drained instance, drained before %d", last, from)
	}

	command(t, "undrain", r.target, out.addr).check(t, statusOK, []string{"2 of 2 instances get calls"}, nil)
	r.awaitEntries(out.addr, 2)
	r.check()
}

// entryOf returns the entry that the client knows of a server; "": none.
func (r *rollout) entryOf(addr string) string {
	for _, es := range r.client.Snapshot().Endpoints {
		if es.Endpoint.Instance.Addr() == addr {
			return es.Endpoint.Instance.Name
		}
	}
	return ""
}

// The first server that is back after a full outage gets one connection from each
// client, however many calls wait or fail meanwhile.
func TestFirstServerBack(t *testing.T) {
	const clients, callers = 20, 4
	registry := zktest.Start(t)
	first := startRollout(t, registry.Target("/rpc"), 1)
	addr := first.servers[0].addr
	ctx, cancel := context.WithCancel(t.Context())
	var work, back sync.WaitGroup
	t.Cleanup(func() { cancel(); work.Wait() })
	down := make(chan struct{})
	for range clients {
		client, err := rollcall.NewClient(first.target, rollcall.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		if err := client.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		back.Add(1)
		answered := sync.OnceFunc(back.Done)
		for range callers {
			work.Go(func() {
				<-down
				for pause.For(ctx, time.Millisecond) == nil {
					if _, err := againMethod.CallWith(ctx, client, &noted{}, rollcall.CallOptions{}); err == nil {
						answered()
					}
				}
			})
		}
	}
	first.servers[0].kill()
	close(down)
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	counting := &countingListener{Listener: listener}
	srv := rollcall.NewServer(rollcall.ServerOptions{Registry: first.target})
	rollcall.Handle(srv, againMethod, func(_ context.Context, n *noted) (*noted, error) { return n, nil })
	work.Go(func() {
		if err := srv.Serve(ctx, counting); err != nil {
			t.Error(err)
		}
	})
	back.Wait()
	// The rollout's own client is one more. A busy machine may cost some clients a
	// second connection; there are still fewer than calls.
	if got := counting.n.Load(); got > 2*(clients+1) {
		t.Errorf("%d connections of %d clients", got, clients+1)
	}
}

// A countingListener counts what it accepts.
type countingListener struct {
	net.Listener
	n atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return conn, err
}
