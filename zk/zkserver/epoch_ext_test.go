// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A copiedLife is a client of a server whose data was copied, and which went on.
type copiedLife struct {
	client *rawConn
	copied string
	zxid   int64 // that the client has seen last
}

// copied has a session and /n in the data that is copied, as cp does it while nothing
// runs. The server then goes on with two more lives, so that the client has seen a
// later epoch than the copy knows.
func copied(t *testing.T, clock zkserver.Clock) copiedLife {
	t.Helper()
	dir, c := filepath.Join(t.TempDir(), "data"), copiedLife{copied: filepath.Join(t.TempDir(), "copy")}
	for life := range 3 {
		k, err := tryKept(t, zkserver.Options{DataDir: dir, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			c.client = open(t, k.addr, 30*time.Second)
			c.client.create("/n", 0)
		} else {
			var resp jute.ConnectResponse
			if c.client, resp = c.client.reattach(k.addr); resp.SessionID == 0 {
				t.Fatal("the session is gone")
			}
		}
		m := c.client.must(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1}, nil)
		if m.Zxid <= c.zxid {
			t.Fatalf("life %d has zxid 0x%x behind 0x%x", life, m.Zxid, c.zxid)
		}
		c.zxid = m.Zxid
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			if err := os.CopyFS(c.copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// back connects with what the client has seen.
func (c *copiedLife) back(t *testing.T, addr string) (*rawConn, jute.ConnectResponse) {
	t.Helper()
	n := dialRaw(t, addr)
	return n, n.handshake(jute.ConnectRequest{
		LastZxidSeen: c.zxid, SessionID: c.client.id, Password: c.client.password, TimeoutMillis: 30000, HasReadOnly: true,
	})
}

// Data that was put back by cp locks nobody out: its clients have their sessions, and
// their watches tell that it is other data.
func TestDataPutBack(t *testing.T) {
	c := copied(t, nil)
	k, err := tryKept(t, zkserver.Options{DataDir: c.copied})
	if err != nil {
		t.Fatal(err)
	}
	n, resp := c.back(t, k.addr)
	if resp.SessionID != c.client.id {
		t.Fatalf("got session %x, want %x: a client that has seen more is turned away", resp.SessionID, c.client.id)
	}
	r := &jute.SetWatchesRequest{RelativeZxid: c.zxid, Data: []string{"/n"}, Child: []string{"/n"}}
	m, events := n.do(jute.OpSetWatches, r)
	want := []jute.EventType{jute.EventNodeDataChanged, jute.EventNodeChildrenChanged}
	if m.Err != 0 || len(events) != 2 || events[0].Type != want[0] || events[1].Type != want[1] {
		t.Errorf("watches of data that is not there any more: %v, events %+v, want %v", m.Err, events, want)
	}
	if s := n.stat("/n"); s.Version != 1 {
		t.Errorf("/n has version %d, want that of the copy, 1", s.Version)
	}
	m = n.must(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1}, nil)
	if m.Zxid <= c.zxid {
		t.Errorf("zxid 0x%x, want one behind 0x%x, which was seen", m.Zxid, c.zxid)
	}
	// Of what it has seen of this life, only changes are told.
	r.RelativeZxid = m.Zxid
	if _, events := n.do(jute.OpSetWatches, r); len(events) != 0 {
		t.Errorf("got %+v, want no event: nothing has changed", events)
	}
	if got := k.State().Counts.Ahead; got != 0 {
		t.Errorf("%d clients are ahead, want none", got)
	}
}

// An ordinary restart tells watches nothing that has not happened.
func TestRestartChangesNothing(t *testing.T) {
	dir := t.TempDir()
	k, err := tryKept(t, zkserver.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, k.addr, 30*time.Second)
	c.create("/n", 0)
	last := c.must(jute.OpExists, &jute.PathWatchRequest{Path: "/n"}, nil).Zxid
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k, err = tryKept(t, zkserver.Options{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	c, _ = c.reattach(k.addr)
	m, events := c.do(jute.OpSetWatches, &jute.SetWatchesRequest{RelativeZxid: last, Data: []string{"/n"}, Child: []string{"/n"}})
	if m.Err != 0 || len(events) != 0 {
		t.Errorf("got %v and %+v, want no event", m.Err, events)
	}
	if m.Zxid <= last {
		t.Errorf("zxid 0x%x behind 0x%x, want a new epoch", m.Zxid, last)
	}
}

// Where the clock was set back too, a client is ahead of what was put back. It is told
// that its session has expired, and begins anew.
func TestDataPutBackAndClockSetBack(t *testing.T) {
	now := time.Now()
	clock := &fixedClock{now: now}
	c := copied(t, clock)
	clock.now = now.Add(-time.Hour)
	k, err := tryKept(t, zkserver.Options{DataDir: c.copied, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	n, resp := c.back(t, k.addr)
	if resp.SessionID != 0 || resp.TimeoutMillis != 0 {
		t.Errorf("got %+v, want that the session has expired", resp)
	}
	n.wantEOF()
	if got := k.State().Counts.Ahead; got != 1 {
		t.Errorf("%d clients are ahead, want 1", got)
	}
	open(t, k.addr, 30*time.Second).create("/again", 0)
}

// Neither does a registry in memory lock out those who knew it when its clock was
// ahead: a client of it has a new session at once.
func TestMemoryAndClockSetBack(t *testing.T) {
	clock := &fixedClock{now: time.Now()}
	k, err := tryKept(t, zkserver.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	client, err := zk.New([]string{k.addr}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsurePath(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := zkserver.New(zkserver.Options{Clock: &fixedClock{now: clock.now.Add(-time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe(context.Background(), k.addr) }()
	waitFor(t, "the client's new session", func() bool { return client.EnsurePath(t.Context(), "/b") == nil })
	if got := s.State().Counts.Ahead; got != 1 {
		t.Errorf("%d clients were ahead, want this one, once", got)
	}
	s.Close()
	if err := <-ended; !errors.Is(err, zkserver.ErrServerClosed) {
		t.Errorf("Serve: got %v, want %v", err, zkserver.ErrServerClosed)
	}
}
