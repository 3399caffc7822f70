// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A registryProcess is a registry that runs as a process of its own, and can go
// away and come back at its address.
type registryProcess interface {
	Addr() string
	Kill()       // without a word
	StartEmpty() // with nothing of what was in it
}

// rollcallRegistry is `rollcall registry`.
type rollcallRegistry struct {
	t       testing.TB
	program string
	where   []string // --memory, or --data and a directory
	addr    string
	process *process
}

func startRollcallRegistry(t testing.TB, where ...string) *rollcallRegistry {
	t.Helper()
	r := &rollcallRegistry{t: t, program: filepath.Join(t.TempDir(), "rollcall"), where: where, addr: "127.0.0.1:0"}
	if out, err := exec.Command("go", "build", "-o", r.program, "../../cmd/rollcall").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	r.Start()
	return r
}

func (r *rollcallRegistry) Addr() string { return r.addr }
func (r *rollcallRegistry) Kill()        { r.process.kill() }

// StartEmpty is for a registry in memory: its end has emptied it.
func (r *rollcallRegistry) StartEmpty() { r.Start() }

func (r *rollcallRegistry) Start() {
	r.t.Helper()
	args := append([]string{"registry", "--listen", r.addr, "--tick", "500ms"}, r.where...)
	r.process = startProcess(r.t, r.program, args...)
	r.addr = r.process.await(r.t, "registry ready on ")
}

// TestStory tells what Rollcall is for, with real processes and real signals:
// servers answer the roll, a client finds them, calls them and moves on, while
// servers join, die and drain, and while the registry is gone and comes back
// empty. No call fails.
func TestStory(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { testStory(t, startRollcallRegistry(t, "--memory")) })
	t.Run("apache", func(t *testing.T) { testStory(t, realtest.Apache(t)) })
}

func testStory(t *testing.T, registry registryProcess) {
	roll := newRoll(t, registry.Addr())

	// Two servers start: each listens, then registers.
	first := startStoryServer(t, registry)
	second := startStoryServer(t, registry)
	if first.node != "/rpc/server0000000000" || second.node != "/rpc/server0000000001" {
		t.Errorf("registered as %s and %s", first.node, second.node)
	}
	roll.checkEntry(first)
	roll.checkEntry(second)

	// A client calls again and again; both answer.
	client := startGoClient(t, registry.Addr(), "-n", "0", "-interval", "5ms", "-balance", "round_robin")
	awaitAnswer(t, client, 0, first.addr)
	awaitAnswer(t, client, 0, second.addr)

	// A third server starts and is called.
	third := startStoryServer(t, registry)
	awaitAnswer(t, client, 0, third.addr)

	// The first is killed: when its session has timed out its entry is gone, and
	// only the others are called.
	first.kill()
	roll.awaitGone(first.node)
	checkAnswers(t, client, second.addr, third.addr)

	// divide(1, 0) gives the typed error.
	checkTypedError(t, registry.Addr())

	// The second drains on SIGTERM: its entry is gone at once, and it exits with
	// status 0.
	second.terminate()
	roll.awaitGone(second.node)
	if status := second.wait(t); status != 0 {
		t.Errorf("the drained server exits with %d, want 0", status)
	}
	checkAnswers(t, client, third.addr)

	// The registry dies while client and servers run: calls go on.
	registry.Kill()
	checkAnswers(t, client, third.addr)

	// It comes back empty: the server is registered again, the client's list is
	// fresh and a new server is called, without a restart of anything.
	registry.StartEmpty()
	roll = newRoll(t, registry.Addr())
	roll.awaitAddr(third.addr)
	fourth := startStoryServer(t, registry)
	_, from := client.awaitLine(t, len(client.printed()), func(string) bool { return true })
	awaitAnswer(t, client, from, fourth.addr)
	awaitAnswer(t, client, from, third.addr)

	client.interrupt()
	if status := client.wait(t); status != 0 {
		t.Errorf("the client exits with %d, want 0: a call failed", status)
	}
	for i, line := range client.printed() {
		if addr, value := answer(line); value != strconv.Itoa(i) {
			t.Errorf("call %d: %s answered %q", i, addr, value)
		}
	}
}

// TestStoryRegistryKeepsData restarts a registry that keeps its data: the
// sessions live on, and so do the entries.
func TestStoryRegistryKeepsData(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { testRegistryKeepsData(t, startRollcallRegistry(t, "--data", t.TempDir())) })
	t.Run("apache", func(t *testing.T) { testRegistryKeepsData(t, realtest.Apache(t)) })
}

func testRegistryKeepsData(t *testing.T, registry interface {
	Addr() string
	Kill()
	Start()
},
) {
	// A session outlives the restart, however long that takes on a busy machine.
	start := func() *serverProcess { return startGoServer(t, registry.Addr(), "-session-timeout", "30s") }
	server := start()
	client := startGoClient(t, registry.Addr(), "-n", "0", "-interval", "5ms")
	awaitAnswer(t, client, 0, server.addr)
	registry.Kill()
	checkAnswers(t, client, server.addr)
	registry.Start()
	newRoll(t, registry.Addr()).checkEntry(server)
	late := start()
	awaitAnswer(t, client, 0, late.addr)
	client.interrupt()
	if status := client.wait(t); status != 0 {
		t.Errorf("the client exits with %d, want 0: a call failed", status)
	}
}

// startStoryServer starts a server whose death the registry notices soon.
func startStoryServer(t testing.TB, registry interface{ Addr() string }) *serverProcess {
	t.Helper()
	return startGoServer(t, registry.Addr(), "-session-timeout", "2s")
}

// awaitAnswer waits until the server has answered a call, from a line on.
func awaitAnswer(t testing.TB, client *process, from int, addr string) {
	t.Helper()
	client.awaitLine(t, from, func(line string) bool {
		answered, _ := answer(line)
		return answered == addr
	})
}

// checkAnswers expects that from now on only these servers answer.
func checkAnswers(t testing.TB, client *process, addrs ...string) {
	t.Helper()
	// One line may have been under way.
	_, from := client.awaitLine(t, len(client.printed()), func(string) bool { return true })
	lines := client.awaitLines(t, from+100)[from:]
	seen := map[string]bool{}
	for _, line := range lines {
		addr, _ := answer(line)
		seen[addr] = true
		if !slices.Contains(addrs, addr) {
			t.Errorf("%q: want an answer of %v", line, addrs)
		}
	}
	if len(seen) != len(addrs) {
		t.Errorf("answers of %v, want of %v", seen, addrs)
	}
}

// checkTypedError calls divide(1, 0) from within this process.
func checkTypedError(t testing.TB, registry string) {
	t.Helper()
	client, err := rollcall.NewClient("zk://"+registry+"/rpc", rollcall.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = divide.Divide.Call(bounded(t), client, &divide.Fraction{Num1: 1, Num2: new(int32(0))})
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Code != rollcall.CodeInvalidArgument || e.Reason != "INVALID_OPERATION" {
		t.Errorf("divide(1, 0): got %v, want InvalidArgument INVALID_OPERATION", err)
	}
}

// A roll is the list as any ZooKeeper client sees it.
type roll struct {
	t      testing.TB
	client *zk.Client
}

func newRoll(t testing.TB, registry string) *roll {
	t.Helper()
	c, err := zk.New([]string{registry}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &roll{t: t, client: c}
}

// checkEntry expects the server's entry: ephemeral, and the JSON that every
// reader of the list relies on, in its order.
func (r *roll) checkEntry(s *serverProcess) {
	r.t.Helper()
	data, stat, err := r.client.Get(bounded(r.t), s.node)
	if err != nil {
		r.t.Fatal(err)
	}
	if stat.EphemeralOwner == 0 {
		r.t.Errorf("%s is not ephemeral", s.node)
	}
	var id struct{ ID string }
	if err := json.Unmarshal(data, &id); err != nil {
		r.t.Fatalf("%s: %v", data, err)
	}
	host, port, _ := net.SplitHostPort(s.addr)
	want := fmt.Sprintf(`{"host":%q,"port":%s,"id":%q,"protocols":["rollcall/1","divide"],"weight":100,"zone":"","version":"","metadata":{}}`, host, port, id.ID)
	if diff := cmp.Diff(string(data), want); diff != "" || len(id.ID) != 16 {
		r.t.Errorf("the entry's data (-got +want):\n%s", diff)
	}
}

// awaitGone waits until a node is not there.
func (r *roll) awaitGone(node string) {
	r.t.Helper()
	ctx := bounded(r.t)
	for {
		_, exists, changed, err := r.client.ExistsW(ctx, node)
		if err != nil {
			r.t.Fatal(err)
		}
		if !exists {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			r.t.Fatalf("%s does not go", node)
		}
	}
}

// awaitAddr waits until an entry with the address is in the list.
func (r *roll) awaitAddr(addr string) {
	r.t.Helper()
	ctx := bounded(r.t)
	_, port, _ := net.SplitHostPort(addr)
	// A watch on the root sees /rpc come and everything below it.
	watch, err := r.client.AddWatch(ctx, "/", zk.PersistentRecursive)
	if err != nil {
		r.t.Fatal(err)
	}
	defer watch.Close()
	for {
		names, _, err := r.client.Children(ctx, "/rpc")
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			r.t.Fatal(err)
		}
		for _, name := range names {
			data, _, err := r.client.Get(ctx, "/rpc/"+name)
			if err == nil && strings.Contains(string(data), `"port":`+port+`,`) {
				return
			}
		}
		select {
		case <-watch.Events():
		case <-ctx.Done():
			r.t.Fatalf("%s is not in the list: %v", addr, names)
		}
	}
}
