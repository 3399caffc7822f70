// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// ZooKeeper 3.8 does not start any more after the end of a session with very many
// ephemeral nodes: the transaction that removes them is greater than the limit of
// a packet.
func TestEndOfGreatSession(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 200,000 nodes")
	}
	const nodes, atOnce = 200_000, 1000
	dir := filepath.Join(t.TempDir(), "data")
	opts := zkserver.Options{DataDir: dir}
	k, err := tryKept(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, k.addr, 30*time.Second)
	c.create("/"+strings.Repeat("p", 30), 0)
	var ops []jute.MultiOp
	for range atOnce {
		ops = append(ops, jute.MultiOp{Op: jute.OpCreate, Request: newNode("/"+strings.Repeat("p", 30)+"/node-", jute.FlagEphemeralSequential)})
	}
	for range nodes / atOnce {
		c.must(jute.OpMulti, &jute.MultiRequest{Ops: ops}, nil)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}

	begin := time.Now()
	if k, err = tryKept(t, opts); err != nil {
		t.Fatal(err)
	}
	t.Logf("started with %d ephemerals after %v", nodes, time.Since(begin))
	if info := k.Sessions(); len(info) != 1 || info[0].Ephemerals != nodes {
		t.Fatalf("got %+v, want one session with %d nodes", info, nodes)
	}
	before := logBytes(t, dir)
	c, _ = c.reattach(k.addr)
	c.must(jute.OpCloseSession, nil, nil)
	if grown := logBytes(t, dir) - before; grown < 1<<20 {
		t.Errorf("the end of the session takes %d bytes, want more than a packet may have", grown)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	if k, err = tryKept(t, opts); err != nil {
		t.Fatal(err)
	}
	t.Logf("started behind their end after %v", time.Since(begin))
	if info := k.Sessions(); len(info) != 0 || open(t, k.addr, time.Second).stat("/"+strings.Repeat("p", 30)).NumChildren != 0 {
		t.Error("the session or its nodes are back")
	}
}

func logBytes(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), "log.") {
			size += info.Size()
		}
	}
	return size
}

// A backup of a server at work begins a new epoch: clients that have seen more
// than it holds are told that their session has expired, not turned away.
func TestBackupOfServer(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
	k, err := tryKept(t, zkserver.Options{DataDir: dir, Epoch: 100})
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, k.addr, 10*time.Second)
	c.create("/a", 0)
	if _, err := zkserver.CheckData(dir); err == nil {
		t.Error("check of a directory in use: no error")
	}
	report, err := zkserver.BackupData(dir, out)
	if err != nil {
		t.Fatal(err)
	}
	if report.Znodes != 5 || report.Sessions != 1 || !report.Restored {
		t.Errorf("got %+v, want 5 znodes, 1 session, restored", report)
	}
	if _, err := zkserver.BackupData(dir, out); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("backup to what is there: got %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v beside the backup, want nothing", left, err)
	}
	for range 10 {
		c.must(jute.OpSetData, &jute.SetDataRequest{Path: "/a", Version: -1}, nil)
	}
	m := c.must(jute.OpSetData, &jute.SetDataRequest{Path: "/a", Version: -1}, nil)

	for i := range int64(2) { // an epoch begins with each start
		restored, err := tryKept(t, zkserver.Options{DataDir: out, Epoch: 50})
		if err != nil {
			t.Fatal(err)
		}
		late := dialRaw(t, restored.addr)
		resp := late.handshake(jute.ConnectRequest{LastZxidSeen: m.Zxid, TimeoutMillis: 10000})
		if resp.SessionID == 0 {
			t.Fatal("a client that has seen more is turned away")
		}
		if s := late.stat("/a"); s.Version != 0 {
			t.Errorf("/a has version %d, want that of the backup", s.Version)
		}
		late.create("/b", jute.FlagEphemeral)
		if got := late.stat("/b").Czxid >> 32; got != 101+i {
			t.Errorf("start %d: got epoch %d, want %d", i, got, 101+i)
		}
		late.must(jute.OpCloseSession, nil, nil)
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if report, err = zkserver.CheckData(out); err != nil || report.Restored || !report.Closed || report.Znodes != 5 {
		t.Errorf("got %+v, %v, want 5 znodes, closed in order", report, err)
	}
}
