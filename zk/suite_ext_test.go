// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A server that the suite runs against.
type server interface {
	Addr() string
	Stop()         // at once
	Restart()      // with its data, on the same address
	RestartEmpty() // without
}

// servers are what every test of the suite runs against.
var servers = []struct {
	name  string
	start func(testing.TB) server
}{
	{"apache", func(t testing.TB) server { return apache{realtest.Apache(t)} }},
	{"embedded", func(t testing.TB) server { return zktest.Start(t) }},
}

type apache struct{ *realtest.ZooKeeper }

func (a apache) Stop()         { a.Kill() }
func (a apache) Restart()      { a.Kill(); a.Start() }
func (a apache) RestartEmpty() { a.Kill(); a.StartEmpty() }

// suite holds the tests, by name. Those that stop the server get one of their
// own.
var suite = []struct {
	name string
	own  bool
	test func(*testing.T, server)
}{
	{"nodes", false, testNodes},
	{"data", false, testData},
	{"acl", false, testACL},
	{"multi", false, testMulti},
	{"sequential ephemerals", false, testSequentialEphemerals},
	{"ensure path", false, testEnsurePath},
	{"bad arguments", false, testBadArguments},
	{"auth", false, testAuth},
	{"auth failed", false, testAuthFailed},
	{"one-shot watches", false, testOneShotWatches},
	{"one-shot watches across a cut", false, testOneShotCut},
	{"events before replies", false, testEventBeforeReply},
	{"persistent watch", false, testPersistent},
	{"recursive watch", false, testRecursive},
	{"recursive watch across a cut", false, testRecursiveCut},
	{"watch removed", false, testWatchClose},
	{"watch removed beside others", false, testWatchCloseBeside},
	{"watch churn", false, testWatchChurn},
	{"many watches across a cut", false, testManyWatches},
	{"expiry", false, testExpiry},
	{"pipelining", false, testPipelining},
	{"pipelining across cuts", false, testPipeliningCuts},
	{"close ends the session", false, testCloseSession},
	{"restart", true, testRestart},
	{"wiped", true, testWiped},
}

func TestSuite(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			shared := s.start(t)
			for _, tt := range suite {
				t.Run(tt.name, func(t *testing.T) {
					checkLeaks(t)
					if tt.own {
						tt.test(t, s.start(t))
					} else {
						tt.test(t, shared)
					}
				})
			}
		})
	}
}

// deadline bounds every single wait of the suite.
const deadline = 20 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// A link is the network between a client and its server.
type link struct {
	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

var errLinkDown = errors.New("the link is down")

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errLinkDown
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if l.conns == nil {
		l.conns = make(map[net.Conn]bool)
	}
	l.conns[conn] = true
	return conn, nil
}

// cut breaks every connection. With down no new one comes about until up.
func (l *link) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	for conn := range l.conns {
		conn.Close()
		delete(l.conns, conn)
	}
}

func (l *link) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// connect returns a connected client that is closed with the test.
func connect(t *testing.T, s server, opts zk.Options) *zk.Client {
	t.Helper()
	if opts.BackoffMax == 0 {
		opts.BackoffMin, opts.BackoffMax = 5*time.Millisecond, 100*time.Millisecond
	}
	c, err := zk.New([]string{s.Addr()}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Connected(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// connectLink is connect over a link.
func connectLink(t *testing.T, s server, opts zk.Options) (*zk.Client, *link) {
	t.Helper()
	l := new(link)
	opts.Dial = l.dial
	return connect(t, s, opts), l
}

// await waits until the session is as wanted.
func await(t *testing.T, c *zk.Client, what string, wanted func(zk.Session) bool) zk.Session {
	t.Helper()
	ctx := testContext(t)
	for {
		changed := c.Changed()
		s := c.Session()
		if wanted(s) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the session never was %s, last: %+v", what, s)
		}
	}
}

func isConnected(s zk.Session) bool { return s.State == zk.StateConnected }

func isDown(s zk.Session) bool { return s.State == zk.StateConnecting }

// next returns the next event of a watch.
func next(t *testing.T, events <-chan zk.Event) zk.Event {
	t.Helper()
	select {
	case ev, ok := <-events:
		if !ok {
			t.Fatal("the channel of events is closed")
		}
		ev.Zxid = 0 // old servers do not tell it
		return ev
	case <-time.After(deadline):
		t.Fatal("no event came")
	}
	return zk.Event{}
}

// only checks that one event and no more came from a one-shot watch.
func only(t *testing.T, events <-chan zk.Event, want zk.Event) {
	t.Helper()
	if got := next(t, events); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	if ev, ok := <-events; ok {
		t.Errorf("a second event came: %+v", ev)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// base creates a new node for a test to work under.
func base(t *testing.T, c *zk.Client) string {
	t.Helper()
	return must[string](t)(c.Create(testContext(t), "/t", nil, zk.ModePersistentSequential, nil))
}
