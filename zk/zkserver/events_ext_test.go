// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// heard collects what events tell.
type heard struct {
	mu        sync.Mutex
	opened    []zkserver.SessionOpenedInfo
	closed    []zkserver.SessionClosedInfo
	snapshots []zkserver.SnapshotInfo
	slow      []zkserver.SlowDiskInfo
	refused   []zkserver.RefusedInfo
}

func (o *heard) events() zkserver.Events {
	return zkserver.Events{
		SessionOpened:     func(i zkserver.SessionOpenedInfo) { note(o, &o.opened, i) },
		SessionClosed:     func(i zkserver.SessionClosedInfo) { note(o, &o.closed, i) },
		SnapshotWritten:   func(i zkserver.SnapshotInfo) { note(o, &o.snapshots, i) },
		SlowDisk:          func(i zkserver.SlowDiskInfo) { note(o, &o.slow, i) },
		ConnectionRefused: func(i zkserver.RefusedInfo) { note(o, &o.refused, i) },
	}
}

func note[T any](o *heard, list *[]T, info T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*list = append(*list, info)
}

func listOf[T any](o *heard, list *[]T) []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(*list)
}

// Each session is told of when it begins and when it ends, once, with what went
// with it; one that moves to another connection is not.
func TestSessionEvents(t *testing.T) {
	var o heard
	s, addr := startServer(t, zkserver.Options{Events: o.events(), Epoch: 7})
	a, b := open(t, addr, 10*time.Second), open(t, addr, 20*time.Second)
	peer := a.nc.LocalAddr().String()
	a.create("/e1", 1)
	a.create("/e2", 1)
	b.create("/e3", 1)
	a, _ = a.reattach(addr)
	a.must(jute.OpCloseSession, &jute.Empty{}, nil)
	s.ExpireSession(b.id)
	if _, again := b.reattach(addr); again.SessionID != 0 {
		t.Fatal("the session has not expired")
	}
	want := []zkserver.SessionOpenedInfo{
		{ID: zkserver.Hex(a.id), Zxid: 7<<32 + 1, Peer: peer, Timeout: 10 * time.Second},
		{ID: zkserver.Hex(b.id), Zxid: 7<<32 + 2, Peer: b.nc.LocalAddr().String(), Timeout: 20 * time.Second},
	}
	if diff := cmp.Diff(listOf(&o, &o.opened), want); diff != "" {
		t.Errorf("opened (-got +want):\n%s", diff)
	}
	wantClosed := []zkserver.SessionClosedInfo{
		{ID: zkserver.Hex(a.id), Zxid: 7<<32 + 6, Ephemerals: 2},
		{ID: zkserver.Hex(b.id), Zxid: 7<<32 + 7, Expired: true, Ephemerals: 1},
	}
	if diff := cmp.Diff(listOf(&o, &o.closed), wantClosed); diff != "" {
		t.Errorf("closed (-got +want):\n%s", diff)
	}
}

// A session that is not heard of is told of when it has expired.
func TestExpiryEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o heard
		servePipes(t, zkserver.Options{Events: o.events()}, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
			c := l.open(t, 4*time.Second)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if got := listOf(&o, &o.closed); len(got) > 0 {
				t.Errorf("after 3 s: got %+v, want none", got)
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if got := listOf(&o, &o.closed); len(got) != 1 || got[0].ID != zkserver.Hex(c.id) || !got[0].Expired {
				t.Errorf("after 6 s: got %+v, want the end of session 0x%x", got, c.id)
			}
		})
	})
}

// Each snapshot is told of, and one that could not be written with the reason.
func TestSnapshotEvents(t *testing.T) {
	var o heard
	fs := crashfs.New("data")
	k, err := tryKept(t, zkserver.Options{Events: o.events(), Store: store.Options{FS: fs, SnapshotRecords: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if got := listOf(&o, &o.snapshots); len(got) != 1 || got[0].Znodes != 4 || got[0].Bytes == 0 || got[0].Err != nil {
		t.Fatalf("of an empty directory: got %+v, want one of 4 znodes", got)
	}
	c := open(t, k.addr, 10*time.Second)
	created := 0
	for more := 1; len(listOf(&o, &o.snapshots)) == 1; created += more {
		c.create(fmt.Sprint("/n", created), 0)
	}
	got := listOf(&o, &o.snapshots)[1]
	if got.Err != nil || got.Znodes < 10 || got.Znodes > 4+created || got.Bytes == 0 || got.Took <= 0 {
		t.Errorf("got %+v, want what was written of up to %d znodes", got, 4+created)
	}
	if last := k.State().Disk.LastSnapshot; last.Bytes != got.Bytes || last.Zxid != got.Zxid {
		t.Errorf("the state tells of %+v, the event of %+v", last, got)
	}
	broken := errors.New("broken")
	fs.FailAt(1, crashfs.OpCreate, broken) // nothing else is created
	for i := 0; k.State().Error == ""; i++ {
		c.send(jute.OpCreate, newNode(fmt.Sprint("/m", i), 0))
		if _, err := c.next(); err != nil {
			break
		}
	}
	if err := <-k.ended; !errors.Is(err, broken) {
		t.Errorf("Serve: got %v, want %v", err, broken)
	}
	if all := listOf(&o, &o.snapshots); !errors.Is(all[len(all)-1].Err, broken) {
		t.Errorf("got %+v, want the last one to be %v", all, broken)
	}
}

// A slowFS takes long for the syncs of files that exist: those of the log.
type slowFS struct {
	store.FS
	takes atomic.Int64 // ns
}

type slowFile struct {
	store.File
	fs *slowFS
}

func (fs *slowFS) Edit(name string) (store.File, error) {
	f, err := fs.FS.Edit(name)
	return slowFile{f, fs}, err
}

func (f slowFile) Sync() error {
	time.Sleep(time.Duration(f.fs.takes.Load()))
	return f.File.Sync()
}

// A batch that takes longer than a second is told of.
func TestSlowDiskEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o heard
		fs := &slowFS{FS: crashfs.New("data")}
		opts := zkserver.Options{Events: o.events(), Store: store.Options{FS: fs}, MinSessionTimeout: time.Minute, MaxSessionTimeout: time.Hour}
		servePipes(t, opts, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
			c := l.open(t, time.Hour)
			fs.takes.Store(int64(900 * time.Millisecond))
			c.create("/quick", 0)
			if got := listOf(&o, &o.slow); len(got) > 0 {
				t.Errorf("of 900 ms: got %+v, want none", got)
			}
			fs.takes.Store(int64(1100 * time.Millisecond))
			c.create("/slow", 0)
			fs.takes.Store(0)
			synctest.Wait()
			if got := listOf(&o, &o.slow); len(got) != 1 || got[0].Took != 1100*time.Millisecond || got[0].Transactions != 1 || got[0].Bytes == 0 || got[0].Err != nil {
				t.Errorf("of 1.1 s: got %+v, want it", got)
			}
		})
	})
}

// Whoever is turned away is told of, with the reason.
func TestRefusalEvents(t *testing.T) {
	var o heard
	_, addr := startServer(t, zkserver.Options{Events: o.events(), HandshakeTimeout: 100 * time.Millisecond, MaxPacketBytes: 2000})
	known := open(t, addr, 10*time.Second)
	for _, tt := range []struct {
		name string
		want zkserver.RefusedInfo
		err  string
		do   func(c *rawConn)
	}{
		{"says nothing", zkserver.RefusedInfo{Reason: zkserver.RefusedSilent}, "", func(*rawConn) {}},
		{"leaves by itself", zkserver.RefusedInfo{}, "", func(c *rawConn) { c.nc.Close() }},
		{"no handshake", zkserver.RefusedInfo{Reason: zkserver.RefusedHandshake}, "jute", func(c *rawConn) { c.write([]byte{0, 0, 0, 2, 1, 2}) }},
		{"another protocol", zkserver.RefusedInfo{Reason: zkserver.RefusedHandshake}, "frame of 1195725856 bytes", func(c *rawConn) { c.write([]byte("GET / HTTP/1.1\r\n")) }},
		{"later zxid", zkserver.RefusedInfo{Reason: zkserver.RefusedAhead}, "0x7fffffffffffffff", func(c *rawConn) {
			c.write(connectFrame(jute.ConnectRequest{LastZxidSeen: math.MaxInt64}))
		}},
		{"unknown session", zkserver.RefusedInfo{Reason: zkserver.RefusedSession}, "", func(c *rawConn) {
			c.write(connectFrame(jute.ConnectRequest{SessionID: 1, Password: make([]byte, 16)}))
		}},
		{"wrong password", zkserver.RefusedInfo{Reason: zkserver.RefusedSession}, "", func(c *rawConn) {
			c.write(connectFrame(jute.ConnectRequest{SessionID: known.id, Password: make([]byte, 16)}))
		}},
		{"proves nothing", zkserver.RefusedInfo{Reason: zkserver.RefusedAuth}, "", func(c *rawConn) {
			c.handshake(jute.ConnectRequest{})
			c.write(request(jute.XidAuth, jute.OpAuth, &jute.AuthRequest{Scheme: "nobody"}))
		}},
		{"too large", zkserver.RefusedInfo{Reason: zkserver.RefusedLimit, Limit: "MaxPacketBytes"}, "frame of 2001 bytes", func(c *rawConn) {
			c.handshake(jute.ConnectRequest{})
			c.write([]byte{0, 0, 7, 0xd1})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(listOf(&o, &o.refused))
			c := dialRaw(t, addr)
			tt.want.Peer = c.nc.LocalAddr().String()
			tt.do(c)
			if tt.want.Reason == "" {
				ping(known)
				if got := listOf(&o, &o.refused)[before:]; len(got) > 0 {
					t.Errorf("got %+v, want none", got)
				}
				return
			}
			waitFor(t, "event", func() bool { return len(listOf(&o, &o.refused)) > before })
			got := listOf(&o, &o.refused)[before:]
			err := got[0].Err
			got[0].Err = nil
			if diff := cmp.Diff(got, []zkserver.RefusedInfo{tt.want}); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
		})
	}
}

// Whoever is closed for a limit is told of, with the limit, once.
func TestLimitEvents(t *testing.T) {
	one := func() int { return 1 }
	for limit, tt := range map[string]struct {
		opts zkserver.Options
		do   func(t *testing.T, s *zkserver.Server, addr string) (closed func() int)
	}{
		"MaxConnections": {zkserver.Options{MaxConnections: 1}, func(t *testing.T, _ *zkserver.Server, addr string) func() int {
			open(t, addr, 10*time.Second)
			dialRaw(t, addr).wantEOF()
			return one
		}},
		"MaxConnectionsPerHost": {zkserver.Options{MaxConnectionsPerHost: 1}, func(t *testing.T, _ *zkserver.Server, addr string) func() int {
			open(t, addr, 10*time.Second)
			dialRaw(t, addr).wantEOF()
			return one
		}},
		"MaxPendingConnections": {zkserver.Options{MaxPendingConnections: 1}, func(t *testing.T, _ *zkserver.Server, addr string) func() int {
			first := dialRaw(t, addr)
			open(t, addr, 10*time.Second)
			first.wantEOF()
			return one
		}},
		"MaxUnreadBytes": {zkserver.Options{MaxUnreadBytes: 1 << 20}, func(t *testing.T, s *zkserver.Server, addr string) func() int {
			w, deaf := open(t, addr, 30*time.Second), pipes(t, s, 1)
			deaf[0].must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: jute.WatchPersistentRecursive}, nil)
			long := "/" + fmt.Sprintf("%0100000d", 7)
			w.create(long, 0)
			for attached(s, deaf) > 0 {
				w.must(jute.OpSetData, &jute.SetDataRequest{Path: long, Version: -1}, nil)
			}
			return one
		}},
		"MaxBufferedBytes": {zkserver.Options{MaxBufferedBytes: 1 << 20}, func(t *testing.T, s *zkserver.Server, addr string) func() int {
			w, slow := open(t, addr, 30*time.Second), pipes(t, s, 6)
			node := newNode("/big", 0)
			node.Data = make([]byte, 512<<10)
			w.must(jute.OpCreate, node, nil)
			for _, c := range slow {
				c.send(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"})
			}
			waitFor(t, "end of those that are too many", func() bool {
				w.stat("/")
				held, _ := s.Held()
				return attached(s, slow) < 3 && held <= 1<<20
			})
			return func() int { return len(slow) - attached(s, slow) }
		}},
		"MaxWatchBytes": {zkserver.Options{MaxWatchBytes: 10_000}, func(t *testing.T, _ *zkserver.Server, addr string) func() int {
			c := open(t, addr, 10*time.Second)
			for i := 0; ; i++ {
				r := &jute.PathWatchRequest{Path: fmt.Sprintf("/%01000d", i), Watch: true}
				if _, err := c.nc.Write(request(1, jute.OpExists, r)); err != nil {
					return one
				}
				if _, err := c.next(); err != nil {
					return one
				}
			}
		}},
	} {
		t.Run(limit, func(t *testing.T) {
			var o heard
			tt.opts.Events = o.events()
			s, addr := startServer(t, tt.opts)
			closed := tt.do(t, s, addr)
			// Who is told of may not have left yet.
			waitFor(t, "event for each connection that is closed", func() bool { return len(listOf(&o, &o.refused)) == closed() })
			got := listOf(&o, &o.refused)
			for _, info := range got {
				if info.Reason != zkserver.RefusedLimit || info.Limit != limit || info.Peer == "" {
					t.Errorf("got %+v, want %s", info, limit)
				}
			}
		})
	}
}

// Joined events tell both, the first one first; what neither has stays nil.
func TestTee(t *testing.T) {
	var order []string
	say := func(who string) func(zkserver.SlowDiskInfo) {
		return func(i zkserver.SlowDiskInfo) { order = append(order, fmt.Sprint(who, i.Bytes)) }
	}
	a, b := zkserver.Events{SlowDisk: say("a")}, zkserver.Events{SlowDisk: say("b")}
	zkserver.Tee(a, b).SlowDisk(zkserver.SlowDiskInfo{Bytes: 1})
	zkserver.Tee(zkserver.Events{}, b).SlowDisk(zkserver.SlowDiskInfo{Bytes: 2})
	zkserver.Tee(a, zkserver.Events{}).SlowDisk(zkserver.SlowDiskInfo{Bytes: 3})
	if want := []string{"a1", "b1", "b2", "a3"}; !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
	joined := zkserver.Tee(a, b)
	if joined.SessionOpened != nil || joined.SessionClosed != nil || joined.SnapshotWritten != nil || joined.ConnectionRefused != nil {
		t.Error("got functions that neither has")
	}
	var x, y heard
	joined = zkserver.Tee(x.events(), y.events())
	joined.SessionOpened(zkserver.SessionOpenedInfo{})
	joined.SessionClosed(zkserver.SessionClosedInfo{})
	joined.SnapshotWritten(zkserver.SnapshotInfo{})
	joined.SlowDisk(zkserver.SlowDiskInfo{})
	joined.ConnectionRefused(zkserver.RefusedInfo{})
	for _, o := range []*heard{&x, &y} {
		if len(o.opened) != 1 || len(o.closed) != 1 || len(o.snapshots) != 1 || len(o.slow) != 1 || len(o.refused) != 1 {
			t.Errorf("got %+v, want each once", o)
		}
	}
}
