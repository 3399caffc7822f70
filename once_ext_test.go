// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// onceRounds is the environment variable with the number of rounds of
// TestAtMostOnce.
const onceRounds = "ROLLCALL_TEST_ONCE_ROUNDS"

// A death is how one connection ends. The zero value is one that lives.
type death struct {
	refused bool
	client  int  // the connection dies at the client's byte of that number; 0: it does not
	server  int  // likewise the server's
	mute    bool // nothing of the server arrives
}

// A trial is a service in memory whose connections die by a script. Its handlers
// note each call before they work, its callers what they were told.
type trial struct {
	t        *testing.T
	network  memnet.Network
	registry discovery.Memory
	path     string
	log      *execlog.Log
	next     func(addr string) death // of the next connection
	work     func(ctx context.Context, id uint64)

	mu     sync.Mutex // guards what follows
	calls  []execlog.Call
	deaths map[string]death // of the connections that wait to be accepted
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	only(t, "a trial's network is one of its own, in memory", "tcp")
	path := filepath.Join(t.TempDir(), "log")
	log, err := execlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return &trial{
		t: t, path: path, log: log, next: func(string) death { return death{} },
		work: func(context.Context, uint64) {}, deaths: make(map[string]death),
	}
}

// dial makes a connection that will die as the script says.
func (tr *trial) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	tr.mu.Lock()
	d := tr.next(addr)
	tr.deaths[addr] = d
	tr.mu.Unlock()
	if d.refused {
		return nil, fmt.Errorf("%w by the script", syscall.ECONNREFUSED)
	}
	conn, err := tr.network.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if d.client > 0 {
		conn.(*memnet.Conn).CutAfter(d.client - 1)
	}
	return conn, nil
}

// A scripted is a listener whose ends of connections die as the script says.
type scripted struct {
	net.Listener
	trial *trial
}

func (s scripted) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.trial.mu.Lock()
	d := s.trial.deaths[s.Addr().String()]
	s.trial.mu.Unlock()
	if d.server > 0 {
		conn.(*memnet.Conn).CutAfter(d.server - 1)
	}
	if d.mute {
		conn.(*memnet.Conn).Block()
	}
	return conn, nil
}

// A trialServer is a server that can be stopped in every way.
type trialServer struct {
	*rollcall.Server
	drain context.CancelFunc
	ended chan struct{}
}

var once = rollcall.Method[[]byte, []byte]{Name: "Once"}

// serve starts a server at addr, which is in the list when serve returns.
func (tr *trial) serve(addr string, opts rollcall.ServerOptions) *trialServer {
	l, err := tr.network.Listen(addr)
	if err != nil {
		tr.t.Error(err)
		return nil
	}
	opts.Registrar, opts.Advertise, opts.ID = &tr.registry, addr, addr
	s := &trialServer{Server: rollcall.NewServer(opts), ended: make(chan struct{})}
	rollcall.Handle(s.Server, once, func(ctx context.Context, in *[]byte) (*[]byte, error) {
		id := binary.BigEndian.Uint64(*in)
		if err := tr.log.Note(id); err != nil {
			tr.t.Error(err)
		}
		tr.work(ctx, id)
		return in, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	s.drain = cancel
	go func() {
		defer close(s.ended)
		s.Serve(ctx, scripted{l, tr}) //nolint:errcheck // what comes of it is looked at elsewhere
	}()
	if _, err := s.Registered(context.Background()); err != nil {
		tr.t.Error(err)
	}
	return s
}

func (tr *trial) client(opts rollcall.ClientOptions) *rollcall.Client {
	opts.Resolver, opts.Dial = &tr.registry, tr.dial
	c, err := rollcall.NewClient("memory", opts)
	if err != nil {
		tr.t.Fatal(err)
	}
	return c
}

// call makes the call id and notes what its caller is told. The options say what
// the client believes of the method, idempotent what is true.
func (tr *trial) call(ctx context.Context, c *rollcall.Client, id uint64, size int, idempotent bool, opts rollcall.CallOptions) error {
	body := make([]byte, 8+size)
	binary.BigEndian.PutUint64(body, id)
	_, err := once.CallWith(ctx, c, &body, opts)
	told := execlog.Call{ID: id, Idempotent: idempotent, Executed: rollcall.ExecutedYes}
	if e, ok := errors.AsType[*rollcall.Error](err); ok {
		told.Executed = e.Executed
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.calls = append(tr.calls, told)
	return err
}

// check returns what was executed otherwise than its callers were told.
func (tr *trial) check() []string {
	counts, err := execlog.Read(tr.path)
	if err != nil {
		tr.t.Fatal(err)
	}
	return execlog.Check(counts, tr.calls)
}

// victimFirst picks the victim before all others.
type victimFirst struct{}

func (victimFirst) Name() string { return "victim_first" }

func (victimFirst) NewPicker(candidates []balancer.Candidate, _ func() float64) balancer.Picker {
	return victimPicker(candidates)
}

type victimPicker []balancer.Candidate

func (p victimPicker) Pick(info balancer.PickInfo) *balancer.Endpoint {
	var found *balancer.Endpoint
	for _, c := range p {
		if !slices.Contains(info.Tried, c.Endpoint) && (found == nil || c.Endpoint.Instance.Host == "victim") {
			found = c.Endpoint
		}
	}
	return found
}

// Wherever a connection dies, a call that may not run twice runs at most once
// and its error is right, and an idempotent one is answered: another server
// lives.
func TestEveryPointOfDeath(t *testing.T) {
	// A client's preface that means "victim:1" has 17 bytes, a server's has 18.
	hung := func(ctx context.Context, _ uint64) { <-ctx.Done() }
	for _, tt := range []struct {
		name  string
		death death
		size  int                                  // of the request
		work  func(context.Context, uint64)        // of the victim's handler
		then  func(victim *trialServer, tr *trial) // once the handler has begun
		told  rollcall.Executed                    // to the caller of what may not run twice; 0: it was answered
	}{
		{name: "dial", death: death{refused: true}},
		{name: "client's preface", death: death{client: 5}},
		{name: "server's preface", death: death{server: 1}},
		{name: "half the server's preface", death: death{server: 9}},
		{name: "no preface", death: death{mute: true}},
		{name: "queued", death: death{client: 17}},
		{name: "half written", death: death{client: 40}, told: rollcall.ExecutedMaybe},
		{name: "pieces missing", death: death{client: 150 << 10}, size: 200 << 10, told: rollcall.ExecutedMaybe},
		{name: "reply lost", death: death{server: 20}, told: rollcall.ExecutedMaybe},
		{name: "half the reply", death: death{server: 30}, told: rollcall.ExecutedMaybe},
		{name: "handed over, closed", work: hung, then: func(v *trialServer, _ *trial) { v.Close() }, told: rollcall.ExecutedMaybe},
		{name: "handed over, cut", work: hung, then: func(_ *trialServer, tr *trial) { tr.network.Conns("victim:1")[0].Cut() }, told: rollcall.ExecutedMaybe},
		{name: "handed over, silent", work: hung, then: func(_ *trialServer, tr *trial) { tr.network.Conns("victim:1")[0].Block() }, told: rollcall.ExecutedMaybe},
	} {
		for _, idempotent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, idempotent: %t", tt.name, idempotent), func(t *testing.T) {
				tr := newTrial(t)
				synctest.Test(t, func(t *testing.T) {
					tr.t = t
					tr.next = func(addr string) death {
						if addr == "victim:1" {
							return tt.death
						}
						return death{}
					}
					begun := make(chan struct{})
					var again atomic.Bool
					tr.work = func(ctx context.Context, id uint64) {
						if again.Swap(true) {
							return
						}
						close(begun)
						if tt.work != nil {
							tt.work(ctx, id)
						}
					}
					victim := tr.serve("victim:1", rollcall.ServerOptions{})
					other := tr.serve("other:1", rollcall.ServerOptions{})
					c := tr.client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: victimFirst{}}})
					if tt.then != nil {
						go func() {
							<-begun
							tt.then(victim, tr)
						}()
					}
					synctest.Wait() // the client has seen both
					err := tr.call(context.Background(), c, 1, tt.size, idempotent, rollcall.CallOptions{Idempotent: idempotent})
					if want := tt.told; idempotent || want == 0 {
						if err != nil {
							t.Errorf("failed: %v", err)
						}
					} else if got := tr.calls[0].Executed; err == nil || got != want {
						t.Errorf("told %v, want %v: %v", got, want, err)
					}
					c.Close()
					victim.Close()
					other.Close()
				})
				for _, wrong := range tr.check() {
					t.Error(wrong)
				}
			})
		}
	}
}

// A client that sends a call twice though it may not is found out.
func TestDoubleSendIsNoticed(t *testing.T) {
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		first := true
		tr.next = func(string) death {
			d := death{}
			if first {
				d.server = 20 // the first reply is lost
			}
			first = false
			return d
		}
		s := tr.serve("server:1", rollcall.ServerOptions{})
		c := tr.client(rollcall.ClientOptions{})
		synctest.Wait()
		if err := tr.call(context.Background(), c, 1, 0, false, rollcall.CallOptions{Idempotent: true}); err != nil {
			t.Error(err)
		}
		c.Close()
		s.Close()
	})
	if wrong := tr.check(); len(wrong) != 1 {
		t.Errorf("the double send is not noticed: %q", wrong)
	}
}

// Whatever dies whenever, what callers are told of the execution is right.
func TestAtMostOnce(t *testing.T) {
	only(t, "a trial's network is one of its own, in memory", "tcp")
	rounds := 20
	if text := os.Getenv(onceRounds); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s=%q: give a number", onceRounds, text)
		}
		rounds = n
	}
	base := rand.Uint64()
	told := map[rollcall.Executed]int{}
	for round := range rounds {
		seed := base + uint64(round)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			tr := newTrial(t)
			synctest.Test(t, func(t *testing.T) { tr.storm(t, seed) })
			for _, wrong := range tr.check() {
				t.Error(wrong)
			}
			for _, c := range tr.calls {
				told[c.Executed]++
			}
		})
	}
	t.Logf("told: %v", told)
	for _, e := range []rollcall.Executed{rollcall.ExecutedNo, rollcall.ExecutedMaybe, rollcall.ExecutedYes} {
		if told[e] == 0 {
			t.Errorf("no caller was told %v: %v", e, told)
		}
	}
}

// storm lets callers call three servers that come and go, over connections that
// die anywhere.
func (tr *trial) storm(t *testing.T, seed uint64) {
	t.Helper()
	const callers, each = 10, 25
	tr.t = t
	rnd := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
	dials := rnd(0)
	tr.next = func(string) death {
		switch dials.IntN(6) {
		case 0:
			return death{refused: true}
		case 1, 2:
			return death{client: 1 + dials.IntN(400<<dials.IntN(10))}
		case 3:
			return death{server: 1 + dials.IntN(400<<dials.IntN(10))}
		}
		return death{}
	}
	tr.work = func(_ context.Context, id uint64) {
		time.Sleep(time.Duration(rnd(id).IntN(20)) * time.Millisecond)
	}
	ctx, stop := context.WithCancel(context.Background())
	var servers, calls sync.WaitGroup
	for i := range 3 {
		servers.Go(func() { tr.comeAndGo(ctx, fmt.Sprintf("server%d:1", i), rnd(uint64(1+i))) })
	}
	c := tr.client(rollcall.ClientOptions{})
	for i := range callers {
		calls.Go(func() {
			r := rnd(uint64(100 + i))
			for n := range each {
				tr.callSomehow(c, uint64(1000*(i+1)+n), r)
			}
		})
	}
	calls.Wait()
	c.Close()
	stop()
	servers.Wait()
}

// comeAndGo serves at addr, and stops and starts again in every way, until ctx
// ends.
func (tr *trial) comeAndGo(ctx context.Context, addr string, r *rand.Rand) {
	for ctx.Err() == nil {
		s := tr.serve(addr, rollcall.ServerOptions{DrainDelay: 20 * time.Millisecond, DrainTimeout: 5 * time.Millisecond})
		if s == nil {
			return
		}
		select {
		case <-time.After(time.Duration(r.IntN(200)) * time.Millisecond):
		case <-ctx.Done():
		}
		if r.IntN(2) == 0 {
			s.drain()
			<-s.ended
		}
		s.Close()
	}
}

// callSomehow makes a call of any size and patience.
func (tr *trial) callSomehow(c *rollcall.Client, id uint64, r *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	opts := rollcall.CallOptions{Idempotent: r.IntN(3) == 0, WaitForReady: r.IntN(2) == 0, Hedge: r.IntN(2) == 0}
	if r.IntN(4) == 0 {
		opts.AttemptTimeout = time.Duration(1+r.IntN(30)) * time.Millisecond
	}
	if r.IntN(4) == 0 {
		opts.Timeout = time.Duration(1+r.IntN(30)) * time.Millisecond
	}
	if r.IntN(8) == 0 {
		time.AfterFunc(time.Duration(r.IntN(20))*time.Millisecond, cancel)
	}
	tr.call(ctx, c, id, r.IntN(1<<r.IntN(18)), opts.Idempotent, opts) //nolint:errcheck // what comes of it is looked at elsewhere
	time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
}
