// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
)

const (
	linearizableClients = 8
	// linearizableRounds is after how many kills other nodes are taken, so that a
	// history is short enough to be checked.
	linearizableRounds = 10
)

// A recorder keeps the history of one set of nodes.
type recorder struct {
	dir   string // of the nodes
	begin time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	born  int           // how many ops there were before this life
	count int           // answers of this life
	want  int           // to be worth a crash
	much  chan struct{} // closed then
}

func newRecorder(dir string) *recorder { return &recorder{dir: dir, begin: time.Now()} }

func (r *recorder) now() int64 { return int64(time.Since(r.begin)) }

func (r *recorder) path(node int) string { return fmt.Sprintf("%s/%d", r.dir, node) }

// record notes a request and what became of it.
func (r *recorder) record(client int, in invocation, called int64, out answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: r.now()})
	if r.count++; r.count == r.want {
		close(r.much)
	}
}

// died notes that the process which had the requests without an answer has ended:
// they have happened by now or never will.
func (r *recorder) died() {
	for i := range r.ops[r.born:] {
		if op := &r.ops[r.born+i]; op.Output.(answer).unknown {
			op.Return = r.now()
		}
	}
}

// A lineClient does random requests until the registry is gone.
type lineClient struct {
	*recorder
	*rand.Rand
	zk   *zk.Client
	id   int
	name string // of this client in this life
	made int
	last [linearizableNodes]int32 // versions that were seen
}

func (c *lineClient) op() nodeOp {
	ops := []string{"get", "get", "get", "create", "set", "set", "set", "delete"}
	st := nodeOp{op: ops[c.IntN(len(ops))], node: c.IntN(linearizableNodes), version: -1}
	switch st.op {
	case "create", "set":
		c.made++
		st.value = fmt.Sprintf("%s-%d", c.name, c.made)
	}
	if c.IntN(2) == 0 {
		st.version = c.last[st.node]
	}
	return st
}

func (c *lineClient) invocation() invocation {
	in := invocation{c.op()}
	if c.IntN(4) > 0 {
		return in
	}
	for in[0].op == "get" {
		in[0] = c.op()
	}
	for len(in) < 2+c.IntN(2) {
		if st := c.op(); st.op != "get" {
			in = append(in, st)
		}
	}
	return in
}

// run does requests until one gets no answer. The error is one that no request
// should have.
func (c *lineClient) run(ctx context.Context) error {
	for {
		in, called := c.invocation(), c.now()
		out, err := c.do(ctx, in)
		var failed *zk.Error
		switch {
		case err == nil:
			c.record(c.id, in, called, out)
			continue
		case !errors.As(err, &failed):
			return err
		case errors.Is(err, zk.ErrConnectionLoss), errors.Is(err, context.Canceled):
			if failed.Sent { // else it never happens
				c.record(c.id, in, called, answer{unknown: true})
			}
			return nil
		}
		known := false
		for _, sentinel := range []error{zk.ErrNoNode, zk.ErrNodeExists, zk.ErrBadVersion} {
			if errors.Is(err, sentinel) {
				c.record(c.id, in, called, answer{err: sentinel})
				known = true
			}
		}
		if !known {
			return err
		}
	}
}

func (c *lineClient) do(ctx context.Context, in invocation) (answer, error) {
	if len(in) > 1 {
		return c.multi(ctx, in)
	}
	var value []byte
	var stat zk.Stat
	var err error
	st := in[0]
	path := c.path(st.node)
	switch st.op {
	case "get":
		value, stat, err = c.zk.Get(ctx, path)
	case "create":
		_, stat, err = c.zk.Create2(ctx, path, []byte(st.value), zk.ModePersistent, zk.WorldAnyone())
	case "set":
		stat, err = c.zk.Set(ctx, path, []byte(st.value), st.version)
	case "delete":
		err = c.zk.Delete(ctx, path, st.version)
	}
	c.last[st.node] = stat.Version
	return answer{value: string(value), version: stat.Version, zxid: stat.Mzxid}, err
}

func (c *lineClient) multi(ctx context.Context, in invocation) (answer, error) {
	var ops []zk.Op
	for _, st := range in {
		path := c.path(st.node)
		switch st.op {
		case "create":
			ops = append(ops, zk.CreateOp(path, []byte(st.value), zk.ModePersistent, zk.WorldAnyone()))
		case "set":
			ops = append(ops, zk.SetOp(path, []byte(st.value), st.version))
		case "delete":
			ops = append(ops, zk.DeleteOp(path, st.version))
		}
	}
	results, err := c.zk.Multi(ctx, ops...)
	var out answer
	for i := range results {
		out.zxid = max(out.zxid, results[i].Stat.Mzxid)
	}
	return out, err
}

// life has clients at work until there is something to lose, and kills the
// registry.
func (r *recorder) life(t *testing.T, reg *registry, rng *rand.Rand, round int) {
	t.Helper()
	r.born, r.count, r.want, r.much = len(r.ops), 0, 20+rng.IntN(150), make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var clients sync.WaitGroup
	for i := range linearizableClients {
		client, err := zk.New([]string{reg.Addr()}, zk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := &lineClient{
			recorder: r, Rand: rand.New(rand.NewPCG(rng.Uint64(), 0)), zk: client,
			id: i, name: fmt.Sprintf("%d-%d", round, i),
		}
		clients.Go(func() {
			defer client.Close() // the registry is gone
			if err := c.run(ctx); err != nil {
				t.Errorf("round %d, client %d: %v", round, i, err)
			}
		})
	}
	select {
	case <-r.much:
	case <-ctx.Done():
		t.Errorf("round %d: less than %d answers within %v", round, r.want, patience)
	}
	reg.Stop()
	cancel() // who never was connected would wait for it
	clients.Wait()
	r.died()
}

// check demands a verdict on the history.
func (r *recorder) check(t *testing.T, want porcupine.CheckResult) {
	t.Helper()
	got, info := porcupine.CheckOperationsVerbose(linearizable, r.ops, patience)
	if got == want {
		return
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("rollcall-history-%d.html", os.Getpid()))
	err := porcupine.VisualizePath(linearizable, info, file)
	t.Fatalf("%d requests in %s: got %v, want %v; see %s (%v)", len(r.ops), r.dir, got, want, file, err)
}

func (r *recorder) unknown() (n int) {
	for i := range r.ops {
		if r.ops[i].Output.(answer).unknown {
			n++
		}
	}
	return n
}

func makeDirectory(t *testing.T, reg *registry, dir string) {
	t.Helper()
	client, err := zk.New([]string{reg.Addr()}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() // it has what it asked for
	if err := client.EnsurePath(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
}

// What 8 clients see of a few nodes, over a registry that is killed time and
// again, is what one registry could have shown that never was: nothing
// acknowledged is lost, nothing that was seen is taken back, no multi is there by
// halves.
func TestLinearizableOverCrashes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(realtest.CrashSeed(t), 0))
	reg := startRegistry(t, true)
	requests, unknown := 0, 0
	for rounds, begun := realtest.CrashRounds(t), 0; begun < rounds; {
		r := newRecorder(fmt.Sprintf("/history-%d", begun))
		makeDirectory(t, reg, r.dir)
		for range min(linearizableRounds, rounds-begun) {
			r.life(t, reg, rng, begun)
			reg.Start()
			begun++
		}
		r.check(t, porcupine.Ok)
		requests, unknown = requests+len(r.ops), unknown+r.unknown()
	}
	t.Logf("%d requests, %d without an answer", requests, unknown)
}

// A registry that forgets a life is found out: its directory is replaced by a
// copy from before.
func TestLinearizableNoticesLoss(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(realtest.CrashSeed(t), 0))
	reg := startRegistry(t, true)
	r := newRecorder("/history")
	makeDirectory(t, reg, r.dir)
	data := reg.data
	earlier := filepath.Join(t.TempDir(), "earlier")
	for round := range 3 {
		r.life(t, reg, rng, round)
		switch round {
		case 0:
			if err := os.CopyFS(earlier, os.DirFS(data)); err != nil {
				t.Fatal(err)
			}
		case 1:
			reg.data = earlier
		}
		reg.Start()
	}
	r.check(t, porcupine.Illegal)
}
