// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// Sessions of go-zookeeper: one that outlives a restart, and one to let expire.
const (
	longSession  = 10 * time.Second
	shortSession = time.Second
)

var open = zk.WorldACL(zk.PermAll)

// A goClient is a connection of go-zookeeper and the states it went through.
type goClient struct {
	*zk.Conn
	states chan zk.Event
}

type noLog struct{}

func (noLog) Printf(string, ...any) {}

// dialGo connects to addr and waits for the session.
func dialGo(t *testing.T, addr string, timeout time.Duration) *goClient {
	t.Helper()
	c := &goClient{states: make(chan zk.Event, 1024)}
	note := func(e zk.Event) {
		if e.Type == zk.EventSession {
			c.states <- e
		}
	}
	// Given one address, it fails what is asked while the connection is away.
	hosts := []string{addr, addr}
	conn, _, err := zk.Connect(hosts, timeout, zk.WithEventCallback(note), zk.WithLogger(noLog{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	c.Conn = conn
	t.Cleanup(conn.Close)
	c.await(t, zk.StateHasSession)
	return c
}

// await waits until the client was in a state.
func (c *goClient) await(t *testing.T, want zk.State) {
	t.Helper()
	for end := time.Now().Add(patience); receive(t, want.String(), c.states).State != want; {
		if time.Now().After(end) {
			t.Fatalf("%v: other states only within %v", want, patience)
		}
	}
}

// add creates a node and returns its path.
func (c *goClient) add(t *testing.T, path, data string, flags int32) string {
	t.Helper()
	got, err := c.Create(path, []byte(data), flags, open)
	if err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
	return got
}

// check fails the test unless the call that is described had the error want.
func check(t *testing.T, what string, got, want error) {
	t.Helper()
	if got != want { //nolint:errorlint // go-zookeeper returns its errors as they are
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

// gone waits for the deletion of the node at path.
func (c *goClient) gone(t *testing.T, path string) {
	t.Helper()
	ok, _, events, err := c.ExistsW(path)
	check(t, "exists "+path, err, nil)
	if ok {
		wantEvent(t, events, zk.EventNodeDeleted, path)
	}
}

func wantEvent(t *testing.T, events <-chan zk.Event, kind zk.EventType, path string) {
	t.Helper()
	e := receive(t, path+": "+kind.String(), events)
	if e.Type != kind || e.Path != path || e.Err != nil {
		t.Errorf("got event %v of %s with error %v, want %v of %s", e.Type, e.Path, e.Err, kind, path)
	}
}

func wantSilence(t *testing.T, path string, events <-chan zk.Event) {
	t.Helper()
	select {
	case e := <-events:
		t.Errorf("got event %v of %s with error %v, want none yet", e.Type, path, e.Err)
	default:
	}
}

// TestGoZooKeeper plays what needs no fault, each test below a node of its own.
func TestGoZooKeeper(t *testing.T) {
	tests := []struct {
		name string
		test func(t *testing.T, s server, base string)
	}{
		{"nodes", goNodes},
		{"ephemerals", goEphemerals},
		{"watches", goWatches},
		{"lock", goLock},
		{"acl", goACL},
		{"multi", goMulti},
		{"failed multi", goFailedMulti},
		{"containers", goContainers},
		{"lost answer", goLostAnswer},
		{"reattach", goReattach},
		{"expiry", goExpiry},
	}
	eachServer(t, func(t *testing.T, s server) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				base := dialGo(t, s.Addr(), longSession).add(t, "/base-", "", zk.FlagSequence)
				tt.test(t, s, base)
			})
		}
	})
}
