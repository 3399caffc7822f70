// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// try does a request and returns what came until the connection ended.
func (c *rawConn) try(op jute.OpCode, r jute.Record) (reply message, events []jute.WatcherEvent, err error) {
	c.xid++
	if _, err := c.nc.Write(request(c.xid, op, r)); err != nil {
		return reply, nil, err
	}
	for {
		b, err := c.next()
		if err != nil {
			return reply, events, err
		}
		d := jute.NewDecoder(b)
		reply.Decode(&d)
		reply.body = d.Rest()
		if reply.Xid != jute.XidNotification {
			return reply, events, d.Err()
		}
		events = append(events, reply.event(c.t))
	}
}

// told is what clients were told, by whatever way.
type told struct {
	mu       sync.Mutex
	czxid    map[string]int64 // nodes that were acknowledged
	seen     map[string]bool  // nodes that were read, or told of by an event
	version  int32            // of /d
	zxid     int64            // the greatest
	sessions []*rawConn
}

func (l *told) reply(m *message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zxid = max(l.zxid, m.Zxid)
}

func pair(client, i int) jute.Record {
	x, y := newNode(fmt.Sprintf("/m/x-%d-%d", client, i), 0), newNode(fmt.Sprintf("/m/y-%d-%d", client, i), 0)
	return &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCreate, Request: x}, {Op: jute.OpCreate, Request: y}}}
}

// client writes until its connection ends or it has done enough.
func (l *told) client(c *rawConn, client, rounds int) {
	for i := range rounds {
		m, _, err := c.try(jute.OpMulti, pair(client, i))
		if err != nil {
			return
		}
		l.reply(&m)
		if m, _, err = c.try(jute.OpCreate2, newNode("/s/n", jute.FlagPersistentSequential)); err != nil {
			return
		}
		l.reply(&m)
		var made jute.Create2Response
		m.decode(c.t, &made)
		l.mu.Lock()
		l.czxid[fmt.Sprintf("/m/x-%d-%d", client, i)] = 0
		l.czxid[made.Path] = made.Stat.Czxid
		l.mu.Unlock()
		if m, _, err = c.try(jute.OpSetData, &jute.SetDataRequest{Path: "/d", Data: []byte(strings.Repeat("d", 500)), Version: -1}); err != nil {
			return
		}
		l.reply(&m)
		var s jute.Stat
		m.decode(c.t, &s)
		l.mu.Lock()
		l.version = max(l.version, s.Version)
		l.mu.Unlock()
	}
}

// observer reads and is told of what others write.
func (l *told) observer(c *rawConn, done *atomic.Bool) {
	if _, _, err := c.try(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: 1}); err != nil {
		return
	}
	for !done.Load() {
		m, events, err := c.try(jute.OpGetChildren, &jute.PathWatchRequest{Path: "/s"})
		l.mu.Lock()
		for _, e := range events {
			if e.Type == jute.EventNodeCreated {
				l.seen[e.Path] = true
			}
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
		l.reply(&m)
		var list jute.GetChildrenResponse
		m.decode(c.t, &list)
		l.mu.Lock()
		for _, name := range list.Children {
			l.seen["/s/"+name] = true
		}
		l.mu.Unlock()
	}
}

// live serves clients until the directory fails or they have done enough, and
// returns what they were told.
func live(t *testing.T, fs *crashfs.FS, onFatal func(error)) (k *kept, l *told) {
	t.Helper()
	l = &told{czxid: map[string]int64{}, seen: map[string]bool{}, version: -1}
	k, err := tryKept(t, zkserver.Options{
		Store:   store.Options{FS: fs, SegmentBytes: 6 << 10, SnapshotBytes: 15 << 10},
		OnFatal: onFatal,
	})
	if err != nil {
		return nil, l
	}
	// What is done before the load may fail at any point too.
	first := l.open(t, k.addr)
	if first == nil {
		return k, l
	}
	for _, path := range []string{"/m", "/s", "/d"} {
		m, _, err := first.try(jute.OpCreate, newNode(path, 0))
		if err != nil {
			return k, l
		}
		l.czxid[path] = m.Zxid
	}
	var clients, observers sync.WaitGroup
	var done atomic.Bool
	for i := range 5 {
		c := l.open(t, k.addr)
		if c == nil {
			break
		}
		if i == 0 {
			observers.Go(func() { l.observer(c, &done) })
			continue
		}
		clients.Go(func() { l.client(c, i, 25) })
	}
	clients.Wait()
	done.Store(true)
	observers.Wait()
	return k, l
}

// open opens a session, or returns nil if that fails.
func (l *told) open(t *testing.T, addr string) *rawConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { nc.Close() })
	c := &rawConn{t: t, nc: nc}
	if _, err := nc.Write(connectFrame(jute.ConnectRequest{TimeoutMillis: 10000})); err != nil {
		return nil
	}
	b, err := c.next()
	if err != nil {
		return nil
	}
	var resp jute.ConnectResponse
	d := jute.NewDecoder(b)
	resp.Decode(&d)
	c.id, c.password = resp.SessionID, append([]byte(nil), resp.Password...)
	l.sessions = append(l.sessions, c)
	return c
}

// holds checks that a directory holds what clients were told.
func (l *told) holds(t *testing.T, fs *crashfs.FS) {
	t.Helper()
	k := startKept(t, fs)
	defer k.Close()
	c := open(t, k.addr, 10*time.Second)
	for path, czxid := range l.czxid {
		if !c.exists(path) {
			t.Fatalf("%s was acknowledged and is not there", path)
		}
		if got := c.stat(path).Czxid; czxid != 0 && got != czxid {
			t.Fatalf("%s: czxid 0x%x, want 0x%x", path, got, czxid)
		}
	}
	last := ""
	for path := range l.seen {
		if !c.exists(path) {
			t.Fatalf("%s was seen and is not there", path)
		}
		if strings.HasPrefix(path, "/s/") {
			last = max(last, path)
		}
	}
	for _, s := range l.sessions {
		if _, resp := s.reattach(k.addr); resp.SessionID != s.id {
			t.Fatalf("session %x was acknowledged and is not there", s.id)
		}
	}
	if _, ok := l.czxid["/d"]; !ok {
		return
	}
	var list jute.GetChildrenResponse
	c.must(jute.OpGetChildren, &jute.PathWatchRequest{Path: "/m"}, &list)
	whole := map[string]int{}
	for _, name := range list.Children {
		whole[name[1:]]++
	}
	for name, n := range whole {
		if n != 2 {
			t.Fatalf("half of the multi that made %s is there", name)
		}
	}
	if got := c.stat("/d").Version; got < l.version {
		t.Fatalf("/d: version %d, was %d", got, l.version)
	}
	if next := c.create("/s/n", jute.FlagPersistentSequential); next <= last || l.czxid[next] != 0 {
		t.Fatalf("the sequential node %s was there before", next)
	}
	if m := c.must(jute.OpSetData, &jute.SetDataRequest{Path: "/d", Version: -1}, nil); m.Zxid <= l.zxid {
		t.Fatalf("zxid 0x%x, was 0x%x", m.Zxid, l.zxid)
	}
}

// Whenever the power fails under load, and whatever the disk has kept of what was
// not synced: what anybody was told of is there, and nothing by halves.
func TestCrashUnderLoad(t *testing.T) {
	for n := range realtest.CrashRounds(t) {
		rng := rand.New(rand.NewPCG(7, uint64(n)))
		at := 1 + n%40*7 + rng.IntN(7)
		t.Run(fmt.Sprintf("change %d", at), func(t *testing.T) { // its connections end with it
			fs := crashfs.New("data")
			fs.CrashAt(at, "")
			k, l := live(t, fs, nil)
			left := fs.Crash(rng)
			if k != nil {
				k.Close()
			}
			t.Logf("%d nodes acknowledged, %d seen", len(l.czxid), len(l.seen))
			l.holds(t, left)
		})
	}
}

// When the disk is full or fails, nothing more is answered, every connection is
// closed, and Serve returns the reason. A restart shows what was acknowledged. Only
// zeros ahead of the log may lack space: the server goes on without.
func TestFailureUnderLoad(t *testing.T) {
	for n := range realtest.CrashRounds(t) {
		rng := rand.New(rand.NewPCG(8, uint64(n)))
		at := 30 + n%40*7 + rng.IntN(7)
		t.Run(fmt.Sprintf("change %d", at), func(t *testing.T) { // its connections end with it
			fs := crashfs.New("data")
			fs.FailAt(at, "", syscall.ENOSPC)
			fatal := make(chan error, 2)
			k, l := live(t, fs, func(err error) { fatal <- err })
			if k == nil {
				t.Fatal("not even started")
			}
			if !fs.Hit() {
				t.Fatal("not reached")
			}
			if fs.HitZeros() {
				left := fs.Kill()
				if len(fatal) > 0 {
					t.Fatalf("OnFatal: got %v, want the server to go on", <-fatal)
				}
				k.Close()
				l.holds(t, left)
				return
			}
			if err := <-k.ended; !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Serve: got %v, want %v", err, syscall.ENOSPC)
			}
			if err := <-fatal; !errors.Is(err, syscall.ENOSPC) || len(fatal) > 0 {
				t.Fatalf("OnFatal: got %v and %d more, want %v", err, len(fatal), syscall.ENOSPC)
			}
			if _, err := net.Dial("tcp", k.addr); err == nil {
				t.Fatal("the port is still open")
			}
			again, other := net.Pipe()
			other.Close()
			if err := k.Serve(t.Context(), &oneListener{again}); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Serve again: got %v, want %v", err, syscall.ENOSPC)
			}
			if err := k.Close(); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Close: got %v, want %v", err, syscall.ENOSPC)
			}
			left := fs.Kill()
			l.holds(t, left)
			l.sessions = nil // some were closed meanwhile, by nobody: they expire
			l.holds(t, left.Crash(rng))
		})
	}
}

// A oneListener has one connection.
type oneListener struct{ c net.Conn }

func (l *oneListener) Accept() (net.Conn, error) { return l.c, nil }
func (l *oneListener) Close() error              { return l.c.Close() }
func (l *oneListener) Addr() net.Addr            { return l.c.LocalAddr() }
