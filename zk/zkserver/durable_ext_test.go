// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A kept server has its data in a directory.
type kept struct {
	*zkserver.Server
	addr  string
	ended chan error // what Serve returned
}

// startKept starts a server on what a directory holds, until the test ends. Its
// segments and snapshots follow each other quickly.
func startKept(t testing.TB, fs store.FS) *kept {
	t.Helper()
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs, SegmentBytes: 20 << 10, SnapshotBytes: 30 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func tryKept(t testing.TB, opts zkserver.Options) (*kept, error) {
	t.Helper()
	s, err := zkserver.New(opts)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{s, l.Addr().String(), make(chan error, 1)}
	go func() { k.ended <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() { s.Close() })
	return k, nil
}

func filesOf(t *testing.T, fs store.FS, prefix string) []string {
	t.Helper()
	all, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// Tree, sessions, counters and passwords are those of before, however the server
// ended.
func TestRestartKeepsEverything(t *testing.T) {
	t.Run("close", func(t *testing.T) {
		testRestart(t, func(k *kept, fs *crashfs.FS) *crashfs.FS {
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			return fs
		})
	})
	t.Run("kill", func(t *testing.T) {
		testRestart(t, func(_ *kept, fs *crashfs.FS) *crashfs.FS { return fs.Kill() })
	})
}

func testRestart(t *testing.T, end func(*kept, *crashfs.FS) *crashfs.FS) {
	fs := crashfs.New("data")
	k := startKept(t, fs)
	a, gone := open(t, k.addr, 10*time.Second), open(t, k.addr, 10*time.Second)
	a.create("/p", 0)
	a.create("/p/s", jute.FlagPersistentSequential)
	last := a.create("/p/s", jute.FlagPersistentSequential)
	a.must(jute.OpDelete, &jute.PathVersionRequest{Path: last, Version: -1}, nil)
	a.create("/p/e", jute.FlagEphemeral)
	gone.create("/p/gone", jute.FlagEphemeral)
	gone.must(jute.OpCloseSession, nil, nil)
	for i := range 300 { // several segments and snapshots
		a.must(jute.OpSetData, &jute.SetDataRequest{Path: "/p", Data: fmt.Appendf(nil, "%0500d", i), Version: -1}, nil)
	}
	parent, ephemeral := a.stat("/p"), a.stat("/p/e")

	fs = end(k, fs)
	if first := filesOf(t, fs, "log.")[0]; first == "log.0000000000000001" {
		t.Error("no segment was removed: there was no snapshot")
	}
	k = startKept(t, fs)
	b, resp := a.reattach(k.addr)
	if resp.SessionID != a.id {
		t.Fatalf("got session %x, want %x", resp.SessionID, a.id)
	}
	if diff := cmp.Diff(parent, b.stat("/p")); diff != "" {
		t.Errorf("/p (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ephemeral, b.stat("/p/e")); diff != "" {
		t.Errorf("/p/e (-want +got):\n%s", diff)
	}
	if _, resp := gone.reattach(k.addr); resp.SessionID != 0 || b.exists("/p/gone") {
		t.Error("a closed session is back, or its node")
	}
	if next := b.create("/p/s", jute.FlagPersistentSequential); next <= last {
		t.Errorf("got %s behind %s", next, last)
	}
	if s := b.stat("/p"); s.Pzxid <= parent.Mzxid {
		t.Errorf("zxid 0x%x follows 0x%x, want a greater one", s.Pzxid, parent.Mzxid)
	}
	c := open(t, k.addr, time.Second)
	if c.id <= a.id || c.id <= gone.id {
		t.Errorf("session id %x follows %x", c.id, gone.id)
	}
	if !k.ExpireSession(a.id) || c.exists("/p/e") {
		t.Error("the session did not take its node along")
	}
}

// Sessions have their whole timeout again after a restart, however long that took.
func TestRestartedSessionsExpire(t *testing.T) {
	fs, clock := crashfs.New("data"), newTurnedClock()
	start := func() (*kept, chan time.Time) {
		k, err := tryKept(t, zkserver.Options{TickTime: time.Second, Clock: clock, Store: store.Options{FS: fs}})
		if err != nil {
			t.Fatal(err)
		}
		return k, <-clock.waits
	}
	k, wait := start()
	c := open(t, k.addr, 4*time.Second)
	c.create("/e", jute.FlagEphemeral)
	for range 3 {
		wait = clock.turn(wait, time.Second)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Hour)
	k, wait = start()
	sessions := func() int { return len(k.Sessions()) }
	for i := range 4 {
		wait = clock.turn(wait, time.Second)
		if got := sessions(); got != 1 {
			t.Fatalf("%d s after the restart: got %d sessions, want 1", i+1, got)
		}
	}
	clock.turn(wait, time.Second)
	waitFor(t, "end of the session 5 s after the restart", func() bool { return sessions() == 0 })
	if open(t, k.addr, 4*time.Second).exists("/e") {
		t.Error("its node is there")
	}
}

// A server of which the session ids are ahead of the wall clock: after a restart
// with the clock set back, none is given twice.
func TestSessionIDsAfterClockSetBack(t *testing.T) {
	fs := crashfs.New("data")
	clock := &shiftedClock{}
	start := func() *kept {
		k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs}, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := start()
	before := open(t, k.addr, time.Second)
	before.must(jute.OpCloseSession, nil, nil)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	clock.shift = -24 * time.Hour
	if after := open(t, start().addr, time.Second); after.id <= before.id {
		t.Errorf("session id %x follows %x", after.id, before.id)
	}
}

// A directory of Apache ZooKeeper's is not taken for an empty one.
func TestForeignData(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "version-2"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := zkserver.New(zkserver.Options{DataDir: dir})
	var data *zkserver.DataError
	if !errors.As(err, &data) || data.Dir != dir || !strings.Contains(err.Error(), "name another directory") {
		t.Errorf("got %v, want an error that names another directory", err)
	}
}

type shiftedClock struct{ shift time.Duration }

func (c *shiftedClock) Now() time.Time                         { return time.Now().Add(c.shift) }
func (c *shiftedClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
