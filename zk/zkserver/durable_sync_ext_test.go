// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A gatedFS lets syncs of files that exist wait: those of the log.
type gatedFS struct {
	store.FS
	waiting chan struct{} // told of each sync that waits

	mu   sync.Mutex
	gate chan struct{} // nil: open
}

type gatedFile struct {
	store.File
	fs *gatedFS
}

func (fs *gatedFS) Edit(name string) (store.File, error) {
	f, err := fs.FS.Edit(name)
	return gatedFile{f, fs}, err
}

func (f gatedFile) Sync() error {
	f.fs.mu.Lock()
	gate := f.fs.gate
	f.fs.mu.Unlock()
	if gate != nil {
		f.fs.waiting <- struct{}{}
		<-gate
	}
	return f.File.Sync()
}

// shut shuts the gate and returns what opens it again.
func (fs *gatedFS) shut() (reopen func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	gate := make(chan struct{})
	fs.gate = gate
	return sync.OnceFunc(func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.gate = nil
		close(gate)
	})
}

// silent demands that nothing arrives for a moment.
func (c *rawConn) silent(what string) {
	c.t.Helper()
	c.nc.SetReadDeadline(time.Now().Add(30 * time.Millisecond)) //nolint:errcheck // it shows in the next read
	var b [1]byte
	n, err := c.nc.Read(b[:])
	var ne net.Error
	if n > 0 || !errors.As(err, &ne) || !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("%s: got %d bytes, %v; want nothing yet", what, n, err)
	}
}

// While a batch is on its way to the disk, nobody learns of it: no reply, no
// event, no read. Pings are answered. Requests gather meanwhile, and go to the disk
// together.
func TestNothingIsSeenBeforeTheSync(t *testing.T) {
	disk := crashfs.New("data")
	fs := &gatedFS{FS: disk, waiting: make(chan struct{}, 100)}
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs}, TickTime: time.Hour, MinSessionTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	writer, reader, watcher := open(t, k.addr, time.Minute), open(t, k.addr, time.Minute), open(t, k.addr, time.Minute)
	var others []*rawConn
	for range 20 {
		others = append(others, open(t, k.addr, time.Minute))
	}
	writer.create("/a", 0)
	watcher.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/a", Mode: 1}, nil)
	syncs := disk.Count(crashfs.OpSync)

	reopen := fs.shut()
	defer reopen()
	writer.send(jute.OpCreate, newNode("/a/b", 0))
	<-fs.waiting
	for i, c := range others {
		c.send(jute.OpCreate, newNode(fmt.Sprintf("/n%d", i), 0))
	}
	if reader.exists("/a/b") || reader.stat("/a").NumChildren != 0 {
		t.Error("a node is seen before it is on the disk")
	}
	watcher.write(request(jute.XidPing, jute.OpPing, nil))
	if m := watcher.message(); m.Xid != jute.XidPing {
		t.Errorf("got xid %d, want the reply of the ping before any event", m.Xid)
	}
	writer.silent("create")

	reopen()
	if m := writer.message(); m.Xid != writer.xid || m.Err != 0 {
		t.Errorf("create: got %+v, want ok", m)
	}
	if m := watcher.message(); m.event(t).Path != "/a/b" {
		t.Errorf("got %+v, want the event of /a/b", m)
	}
	for _, c := range others {
		if m := c.message(); m.Err != 0 {
			t.Errorf("create: got %+v, want ok", m)
		}
	}
	if got := disk.Count(crashfs.OpSync) - syncs; got > 3 {
		t.Errorf("%d syncs for 21 requests of which 20 had to wait, want at most 3", got)
	}
}

// While the end of a session is on its way to the disk, neither its client nor one
// that asks for the session learns of it.
func TestNoEndIsSeenBeforeTheSync(t *testing.T) {
	fs := &gatedFS{FS: crashfs.New("data"), waiting: make(chan struct{}, 100)}
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs}, TickTime: time.Hour, MinSessionTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	closing := open(t, k.addr, time.Minute)
	reopen := fs.shut()
	defer reopen()
	closing.send(jute.OpCloseSession, nil)
	<-fs.waiting
	again := dialRaw(t, k.addr)
	again.write(connectFrame(jute.ConnectRequest{SessionID: closing.id, Password: closing.password, TimeoutMillis: 10000}))
	closing.silent("close")
	again.silent("reattaching to a session that is closing")

	reopen()
	if m := closing.message(); m.Err != 0 {
		t.Errorf("close: got %+v, want ok", m)
	}
	var resp jute.ConnectResponse
	d := jute.NewDecoder(again.frame())
	if resp.Decode(&d); resp.SessionID != 0 {
		t.Errorf("reattached to a closed session: %x", resp.SessionID)
	}
}

// A client that lost its connection looks whether its last request was carried
// out. While that is still on its way to the disk, the answer has to wait for it.
func TestReattachedSeesWhatItAskedBefore(t *testing.T) {
	fs := &gatedFS{FS: crashfs.New("data"), waiting: make(chan struct{}, 100)}
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs}, TickTime: time.Hour, MinSessionTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	first := open(t, k.addr, time.Minute)
	reopen := fs.shut()
	defer reopen()
	first.send(jute.OpCreate, newNode("/e", jute.FlagEphemeral))
	<-fs.waiting
	// Twice: what the second connection waits for, the third does too.
	second, _ := first.reattach(k.addr)
	first.wantEOF()
	third, resp := second.reattach(k.addr)
	second.wantEOF()
	if resp.SessionID != first.id {
		t.Fatalf("got session 0x%x, want 0x%x", resp.SessionID, first.id)
	}
	third.send(jute.OpExists, &jute.PathWatchRequest{Path: "/e"})
	third.silent("exists")

	reopen()
	if m := third.message(); m.Xid != third.xid || m.Err != 0 {
		t.Errorf("exists: got %+v, want the node that was asked for before", m)
	}
}

// Whatever changes something is synced before it is answered: a session begun or
// ended too. What fails, or only reads, needs no sync.
func TestSyncBeforeAnswer(t *testing.T) {
	disk := crashfs.New("data")
	k, err := tryKept(t, zkserver.Options{
		Store: store.Options{FS: disk}, TickTime: time.Hour, MinSessionTimeout: time.Second, ExtendedTypes: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	before := disk.Count(crashfs.OpSync)
	synced := func(what string, want bool) {
		t.Helper()
		now := disk.Count(crashfs.OpSync)
		if got := now > before; got != want {
			t.Errorf("%s: synced %v before the answer, want %v", what, got, want)
		}
		before = now
	}
	c := open(t, k.addr, time.Minute)
	synced("a new session", true)
	one := newNode("/multi", 0)
	for _, r := range []struct {
		op     jute.OpCode
		record jute.Record
		synced bool
	}{
		{jute.OpCreate, newNode("/a", 0), true},
		{jute.OpCreate2, newNode("/e", jute.FlagEphemeralSequential), true},
		{jute.OpCreateContainer, newNode("/c", jute.FlagContainer), true},
		{jute.OpCreateTTL, &jute.CreateTTLRequest{CreateRequest: *newNode("/t", jute.FlagTTL), TTLMillis: 1 << 30}, true},
		{jute.OpSetData, &jute.SetDataRequest{Path: "/a", Version: 0}, true},
		{jute.OpSetData, &jute.SetDataRequest{Path: "/a", Version: 0}, false}, // fails
		{jute.OpSetACL, &jute.SetACLRequest{Path: "/a", ACL: jute.WorldAnyone(), Version: 0}, true},
		{jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCreate, Request: one}}}, true},
		{jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCreate, Request: one}}}, false}, // fails
		{jute.OpDelete, &jute.PathVersionRequest{Path: "/multi", Version: -1}, true},
		{jute.OpGetData, &jute.PathWatchRequest{Path: "/a"}, false},
		{jute.OpCloseSession, nil, true},
	} {
		c.do(r.op, r.record)
		synced(fmt.Sprint(r.op), r.synced)
	}
}

// Batches of many clients: no fewer syncs than batches in the log.
func TestSyncPerBatch(t *testing.T) {
	disk := crashfs.New("data")
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: disk}})
	if err != nil {
		t.Fatal(err)
	}
	before := disk.Count(crashfs.OpSync)
	var clients sync.WaitGroup
	for i := range 20 {
		c := open(t, k.addr, time.Minute)
		clients.Go(func() {
			for j := range 20 {
				if _, _, err := c.try(jute.OpCreate, newNode(fmt.Sprintf("/n-%d-%d", i, j), 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	syncs, batches := disk.Count(crashfs.OpSync)-before, 0
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	report, _, err := store.Check(disk)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Segments {
		batches += s.Batches
	}
	t.Logf("420 transactions in %d batches with %d syncs", batches, syncs)
	if batches == 0 || syncs < batches {
		t.Errorf("%d syncs for %d batches, want one for each", syncs, batches)
	}
}
