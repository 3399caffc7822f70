// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
)

const (
	killClients = 20
	// killSession outlasts the test's steps: what a session owns is to be there
	// when the registry is back.
	killSession = 40 * time.Second
)

// acknowledged is what the clients of a registry were told, all of them together.
type acknowledged struct {
	mu     sync.Mutex
	given  map[string]bool // sequential nodes
	zxid   int64           // the greatest
	count  int             // in this round
	enough int             // to be worth a crash
	much   chan struct{}   // closed then
}

// told notes an answer. name is a sequential node's, or empty.
func (a *acknowledged) told(name string, zxid int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given[name] {
		return fmt.Errorf("%s was given twice", name)
	}
	if name != "" {
		a.given[name] = true
	}
	a.zxid = max(a.zxid, zxid)
	if a.count++; a.count == a.enough {
		close(a.much)
	}
	return nil
}

// A writer is one of the clients, over all lives of the registry. Its nodes are
// its own, so that it knows each Stat from the answers.
type writer struct {
	*acknowledged
	name  string
	nodes map[string]zk.Stat // as acknowledged
	order []string           // of nodes made by multi and sequential ones, oldest first
	// What the request on its way, if any, makes of nodes; nil: it deletes one. All
	// of it happens, or nothing.
	pending map[string]*zk.Stat
	zxid    int64
	made    int
}

func (w *writer) counter() string { return "/c/" + w.name }

// acknowledge takes over what was pending, of which the zxid is known now.
func (w *writer) acknowledge(sequential string, zxid int64) error {
	if zxid > 0 && zxid <= w.zxid {
		return fmt.Errorf("%s was told of zxid 0x%x after 0x%x", w.name, zxid, w.zxid)
	}
	w.zxid = max(w.zxid, zxid)
	w.settle()
	return w.told(sequential, zxid)
}

// settle lets what was pending have happened.
func (w *writer) settle() {
	for path, stat := range w.pending {
		if stat == nil {
			delete(w.nodes, path)
			continue
		}
		if _, old := w.nodes[path]; !old && path != w.counter() {
			w.order = append(w.order, path)
		}
		w.nodes[path] = *stat
	}
	w.pending = nil
}

// load does all kinds of writes until the registry is gone. The error is an
// answer that should not be.
func (w *writer) load(ctx context.Context, client *zk.Client, round int) error {
	ephemeral := fmt.Sprintf("/e/%s-%d", w.name, round)
	if _, stat, err := client.Create2(ctx, ephemeral, nil, zk.ModeEphemeral, zk.WorldAnyone()); err == nil {
		w.pending = map[string]*zk.Stat{ephemeral: &stat}
		if err := w.acknowledge("", stat.Czxid); err != nil {
			return err
		}
		w.order = w.order[:len(w.order)-1] // it goes with its session
	}
	for {
		for _, do := range []func(context.Context, *zk.Client) (gone bool, err error){w.sequential, w.set, w.pair, w.remove} {
			if gone, err := do(ctx, client); gone || err != nil {
				return err
			}
		}
	}
}

func (w *writer) sequential(ctx context.Context, client *zk.Client) (gone bool, err error) {
	// Where it is lost, nobody knows the name: it is not looked for.
	path, stat, err := client.Create2(ctx, "/s/n", []byte(w.name), zk.ModePersistentSequential, zk.WorldAnyone())
	if err != nil {
		return true, nil //nolint:nilerr // the registry is gone, as it is to be
	}
	w.pending = map[string]*zk.Stat{path: &stat}
	return false, w.acknowledge(path, stat.Czxid)
}

func (w *writer) set(ctx context.Context, client *zk.Client) (gone bool, err error) {
	next := w.nodes[w.counter()]
	w.pending = map[string]*zk.Stat{w.counter(): &next}
	next.Version++
	stat, err := client.Set(ctx, w.counter(), make([]byte, next.Version%1000), next.Version-1)
	if err != nil {
		return true, nil //nolint:nilerr // the registry is gone, as it is to be
	}
	next = stat
	return false, w.acknowledge("", stat.Mzxid)
}

// pair makes two nodes and changes the counter, whose Stat tells theirs.
func (w *writer) pair(ctx context.Context, client *zk.Client) (gone bool, err error) {
	next := w.nodes[w.counter()]
	next.Version++
	w.made++
	x, y := fmt.Sprintf("/m/x-%s-%d", w.name, w.made), fmt.Sprintf("/m/y-%s-%d", w.name, w.made)
	var made zk.Stat
	w.pending = map[string]*zk.Stat{w.counter(): &next, x: &made, y: &made}
	results, err := client.Multi(ctx,
		zk.CreateOp(x, nil, zk.ModePersistent, zk.WorldAnyone()),
		zk.SetOp(w.counter(), make([]byte, next.Version%1000), next.Version-1),
		zk.CreateOp(y, nil, zk.ModePersistent, zk.WorldAnyone()))
	if err != nil {
		return true, nil //nolint:nilerr // the registry is gone, as it is to be
	}
	next = results[1].Stat
	made = zk.Stat{Czxid: next.Mzxid, Mzxid: next.Mzxid, Pzxid: next.Mzxid, Ctime: next.Mtime, Mtime: next.Mtime}
	return false, w.acknowledge("", next.Mzxid)
}

// remove deletes the oldest nodes, so that there are never many.
func (w *writer) remove(ctx context.Context, client *zk.Client) (gone bool, err error) {
	for len(w.order) > 20 {
		path := w.order[0]
		w.pending = map[string]*zk.Stat{path: nil}
		if err := client.Delete(ctx, path, w.nodes[path].Version); err != nil {
			return true, nil //nolint:nilerr // the registry is gone, as it is to be
		}
		w.order = w.order[1:]
		if err := w.acknowledge("", 0); err != nil {
			return false, err
		}
	}
	return false, nil
}

// holds demands that the nodes are as acknowledged, or all those of the request
// on its way as it would have made them, and goes on from there.
func (w *writer) holds(ctx context.Context, client *zk.Client) error {
	happened := 0
	pending := w.pending
	for path, want := range pending {
		got, there, err := client.Exists(ctx, path)
		if err != nil {
			return err
		}
		old, was := w.nodes[path]
		switch {
		case there == was && (!there || got == old):
		case there == (want != nil) && (!there || got.Version == want.Version && got.Mzxid > w.zxid):
			happened++
			if there {
				*want = got
			}
		default:
			return fmt.Errorf("%s: got %v %+v, want %v %+v as acknowledged, or as in the last request", path, there, got, was, old)
		}
	}
	switch happened {
	case 0:
		w.pending = nil
	case len(pending):
		w.settle()
	default:
		return fmt.Errorf("%d changes of a transaction with %d are there", happened, len(pending))
	}
	w.order = slices.DeleteFunc(w.order, func(path string) bool { _, there := w.nodes[path]; return !there })
	for path, want := range w.nodes {
		if got, there, err := client.Exists(ctx, path); err != nil || !there || got != want {
			return fmt.Errorf("%s: got %v %+v, %v; want %+v, as was acknowledged", path, there, got, err, want) //nolint:errorlint // it may be nil
		}
	}
	return nil
}

// A registry that is killed under load from 20 clients has everything that it
// acknowledged when it is back, time and again: every node with the same Stat,
// none that was deleted, no multi by halves, no sequence number twice, the zxids
// ahead of all before. Snapshots follow each other quickly.
func TestRegistryKilledUnderLoad(t *testing.T) {
	rounds, rng := realtest.CrashRounds(t), rand.New(rand.NewPCG(realtest.CrashSeed(t), 0))
	dir := filepath.Join(t.TempDir(), "data")
	config := writeConfig(t, "snapCount=50", "dataDir="+dir)
	registry := startRegistry(t, dir, "127.0.0.1:0", "--config", config)
	a := &acknowledged{given: map[string]bool{}}
	writers := newWriters(t, a, registry.addr)
	for round := range rounds {
		a.count, a.enough, a.much = 0, 20+rng.IntN(400), make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var clients sync.WaitGroup
		for _, w := range writers {
			c, err := zk.New([]string{registry.addr}, zk.Options{SessionTimeout: killSession})
			if err != nil {
				t.Fatal(err)
			}
			clients.Go(func() {
				defer c.Close() // the registry is gone
				if err := w.load(ctx, c, round); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		select {
		case <-a.much:
		case <-ctx.Done():
			t.Errorf("round %d: less than %d acknowledged within a minute", round, a.enough)
		}
		registry.kill()
		cancel() // who never was connected would wait for it
		clients.Wait()
		registry = startRegistry(t, dir, registry.addr, "--config", config)
		holdTogether(t, a, writers, registry.addr)
		if t.Failed() {
			t.Fatalf("round %d of %d", round, rounds)
		}
	}
	t.Logf("%d rounds, %d sequential nodes, up to zxid 0x%x", rounds, len(a.given), a.zxid)
	registry.kill()
	command(t, "registry", "check", dir).check(t, statusOK, []string{"closed in order", "no"}, nil)
}

func newWriters(t *testing.T, a *acknowledged, addr string) (writers []*writer) {
	t.Helper()
	client := newZKClient(t, addr)
	for _, path := range []string{"/s", "/m", "/e", "/c"} {
		if err := client.EnsurePath(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	for i := range killClients {
		w := &writer{acknowledged: a, name: strconv.Itoa(i), nodes: map[string]zk.Stat{}}
		_, stat, err := client.Create2(t.Context(), w.counter(), nil, zk.ModePersistent, zk.WorldAnyone())
		if err != nil {
			t.Fatal(err)
		}
		w.nodes[w.counter()] = stat
		writers = append(writers, w)
	}
	return writers
}

// holdTogether checks the registry with each writer, and what goes beyond one.
func holdTogether(t *testing.T, a *acknowledged, writers []*writer, addr string) {
	t.Helper()
	client := newZKClient(t, addr)
	defer client.Close() // it was only asked
	known := 0
	for _, w := range writers {
		if err := w.holds(t.Context(), client); err != nil {
			t.Errorf("client %s: %v", w.name, err)
		}
		for path := range w.nodes {
			if path[:3] == "/m/" {
				known++
			}
			if path[:3] == "/e/" { // from the next round on it may expire
				delete(w.nodes, path)
			}
		}
	}
	list, _, err := client.Children(t.Context(), "/m")
	if err != nil || len(list) != known {
		t.Errorf("/m: got %d nodes, %v, want the %d that are known of", len(list), err, known)
	}
	path, stat, err := client.Create2(t.Context(), "/s/n", nil, zk.ModePersistentSequential, zk.WorldAnyone())
	switch {
	case err != nil:
		t.Error(err)
	case stat.Czxid <= a.zxid:
		t.Errorf("zxid 0x%x follows 0x%x", stat.Czxid, a.zxid)
	default:
		if err := a.told(path, stat.Czxid); err != nil {
			t.Error(err)
		}
	}
}
