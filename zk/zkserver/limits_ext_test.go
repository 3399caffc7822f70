// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// heldHeap returns the memory in use after a collection.
func heldHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Connections that say nothing give way to those that come behind them, whichever
// limit they have filled; sessions never do.
func TestSilentConnectionsGiveWay(t *testing.T) {
	for name, opts := range map[string]zkserver.Options{
		"pending":  {MaxPendingConnections: 5},
		"per host": {MaxConnectionsPerHost: 8},
		"all":      {MaxConnections: 8},
	} {
		t.Run(name, func(t *testing.T) {
			s, addr := startServer(t, opts)
			old := open(t, addr, 10*time.Second)
			first := dialRaw(t, addr)
			first.write([]byte{0, 0}) // half a length is not a request
			for range 50 {
				dialRaw(t, addr)
			}
			late := open(t, addr, 10*time.Second)
			late.create("/late", 0)
			old.create("/old", 0)
			first.wantEOF()
			waitFor(t, "end of the silent ones", func() bool { _, conns := s.Held(); return conns <= 8 })
		})
	}
}

// Where every connection has a session, one more is closed without a word.
func TestMaxConnections(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{MaxConnections: 2})
	a, b := open(t, addr, 10*time.Second), open(t, addr, 10*time.Second)
	dialRaw(t, addr).wantEOF()
	a.create("/a", 0)
	b.create("/b", 0)
}

// pipes opens sessions over connections that hold little, so that what a client
// does not read stays with the server, which must be serving.
func pipes(t *testing.T, s *zkserver.Server, n int) []*rawConn {
	t.Helper()
	conns := make([]*rawConn, n)
	for i := range conns {
		client, server := memnet.PipeSize(4 << 10)
		var served sync.WaitGroup
		served.Go(func() { s.ServeConn(server) })
		t.Cleanup(func() {
			client.Close()
			served.Wait()
		})
		conns[i] = &rawConn{t: t, nc: client}
		conns[i].handshake(jute.ConnectRequest{TimeoutMillis: 30000, HasReadOnly: true})
	}
	return conns
}

// attached counts the sessions of conns that still have their connection.
func attached(s *zkserver.Server, conns []*rawConn) (n int) {
	remote := map[int64]net.Addr{}
	for _, info := range s.Sessions() {
		remote[info.ID] = info.Remote
	}
	for _, c := range conns {
		if remote[c.id] != nil {
			n++
		}
	}
	return n
}

// Clients that ask for much and read nothing are cut before they fill the memory,
// those first that have been at it for longest; their sessions live on.
func TestSlowReadersShareABudget(t *testing.T) {
	const budget, big, readers = 4 << 20, 512 << 10, 60
	s, addr := startServer(t, zkserver.Options{MaxBufferedBytes: budget})
	good := open(t, addr, 30*time.Second)
	node := newNode("/big", 0)
	node.Data = make([]byte, big)
	good.must(jute.OpCreate, node, nil)
	before := heldHeap()
	slow := pipes(t, s, readers)
	for _, c := range slow {
		c.send(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"})
		good.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"}, nil)
	}
	// Each holds one reply at most; what is over is found with the next request.
	most := budget/big + 1
	waitFor(t, "end of those that are too many", func() bool {
		good.stat("/")
		return attached(s, slow) <= most
	})
	if got := attached(s, slow); got < most/2 {
		t.Errorf("%d slow readers are left, want about %d", got, most)
	}
	if got := attached(s, slow[:readers/2]); got > 0 {
		t.Errorf("%d of the first half are left, want the oldest cut first", got)
	}
	if held, _ := s.Held(); held > budget+big {
		t.Errorf("%d KiB are held, want at most %d", held>>10, (budget+big)>>10)
	}
	if after := heldHeap(); after > before+2*budget+readers*(64<<10) {
		t.Errorf("the heap has grown by %d KiB", (after-before)>>10)
	}
	if got := len(s.Sessions()); got != readers+1 {
		t.Errorf("got %d sessions, want %d", got, readers+1)
	}
}

// A client that does not read is cut when MaxUnreadBytes wait for it.
func TestMaxUnreadBytes(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{MaxUnreadBytes: 1 << 20})
	w := open(t, addr, 30*time.Second)
	deaf := pipes(t, s, 1)
	deaf[0].must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: jute.WatchPersistentRecursive}, nil)
	long := "/" + fmt.Sprintf("%0100000d", 7)
	w.create(long, 0)
	for i := 0; attached(s, deaf) > 0; i++ {
		if i > 25 { // as many again may be on their way
			t.Fatalf("%d events of 100 kB wait for a client, want it cut at 1 MiB", i)
		}
		w.must(jute.OpSetData, &jute.SetDataRequest{Path: long, Version: -1}, nil)
	}
}

// Great requests that stop half-way are cut before they fill the memory, and one
// that goes on is served.
func TestUnfinishedRequestsShareABudget(t *testing.T) {
	const budget, conns = 8 << 20, 60
	s, addr := startServer(t, zkserver.Options{MaxBufferedBytes: budget})
	good := open(t, addr, 30*time.Second)
	great := newNode("/great", 0)
	great.Data = make([]byte, 1<<20-100)
	before := heldHeap()
	halves := pipes(t, s, conns)
	half := request(1, jute.OpCreate, great)[:600<<10]
	for _, c := range halves {
		c.nc.SetWriteDeadline(time.Now().Add(frameWait)) //nolint:errcheck // it shows in the next write
		if _, err := c.nc.Write(half); err != nil {
			t.Fatal(err)
		}
	}
	good.must(jute.OpCreate, great, nil)
	waitFor(t, "end of those that are too many", func() bool {
		good.stat("/")
		return attached(s, halves) <= budget>>20
	})
	if got := attached(s, halves); got == 0 {
		t.Error("all unfinished requests were cut, want as many left as there is room for")
	}
	if after := heldHeap(); after > before+2*budget+conns*(64<<10) {
		t.Errorf("the heap has grown by %d KiB", (after-before)>>10)
	}
}

// A connection that leaves watches without end is closed, and takes them with it;
// others leave theirs.
func TestMaxWatchBytes(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{MaxWatchBytes: 1 << 20})
	good := open(t, addr, 30*time.Second)
	watch := func(c *rawConn, i int) bool {
		r := &jute.PathWatchRequest{Path: fmt.Sprintf("/%01000d", i), Watch: true}
		c.xid++
		if _, err := c.nc.Write(request(c.xid, jute.OpExists, r)); err != nil {
			return false
		}
		_, err := c.next()
		return err == nil
	}
	for i := range 100 {
		if !watch(good, i) {
			t.Fatal("a connection with few watches is closed")
		}
	}
	greedy := open(t, addr, 30*time.Second)
	left := 0
	for watch(greedy, left) {
		left++
		if left > 1200 {
			t.Fatalf("%d watches of 1256 bytes are left, want fewer", left)
		}
	}
	if left < 600 {
		t.Errorf("closed at %d watches, want it at more than half of the limit", left)
	}
	waitFor(t, "end of its watches", func() bool { return s.Watches() == 100 })
	for i := range 100 {
		if !watch(good, 100+i) {
			t.Fatal("a connection with few watches is closed behind a greedy one")
		}
	}
	greedy, resp := greedy.reattach(addr)
	if resp.SessionID == 0 || !watch(greedy, 1) {
		t.Error("the session of the greedy one is gone, want it to live on")
	}
}

// However much many clients pipeline, few requests stand in front of that of a
// client who waits for each answer.
func TestMaxOutstanding(t *testing.T) {
	const limit, conns, each = 100, 20, 1000
	s, addr := startServer(t, zkserver.Options{MaxOutstanding: limit})
	good := open(t, addr, 30*time.Second)
	good.create("/n", 0)
	burst := []byte{}
	for i := range int32(each) {
		burst = append(burst, request(i+1, jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1})...)
	}
	clients := make([]*rawConn, conns)
	for i := range clients {
		clients[i] = open(t, addr, 30*time.Second)
	}
	resume := s.Stall()
	var pipeliners sync.WaitGroup
	for _, c := range clients {
		c.nc.SetDeadline(time.Now().Add(frameWait)) //nolint:errcheck // it shows in the next read or write
		pipeliners.Go(func() {
			c.nc.Write(burst) //nolint:errcheck // what has happened is seen by who reads
			for i := range int32(each) {
				if m := c.message(); m.Xid != i+1 || m.Err != 0 {
					t.Errorf("got xid %d and %v, want %d and ok", m.Xid, m.Err, i+1)
					return
				}
			}
		})
	}
	waitFor(t, "full queue", func() bool { return s.Queued() >= limit })
	good.send(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1})
	for range 1000 {
		if got, most := s.Queued(), limit+16*(conns+1); got > most {
			t.Fatalf("%d requests wait, want at most %d", got, most)
		}
		runtime.Gosched()
	}
	resume()
	if m := good.message(); m.Err != 0 {
		t.Errorf("got %v, want ok", m.Err)
	}
	pipeliners.Wait()
}

// A client cannot pile up identities: one too many, or one with an endless name,
// costs it the connection.
func TestIdentitiesAreLimited(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	auth := func(c *rawConn, data string) jute.ErrCode {
		c.write(request(jute.XidAuth, jute.OpAuth, &jute.AuthRequest{Scheme: "digest", Auth: []byte(data)}))
		m := c.message()
		return m.Err
	}
	c := open(t, addr, 10*time.Second)
	accepted := 0
	for auth(c, fmt.Sprintf("user%d:pw", accepted)) == jute.ErrOk {
		if accepted++; accepted > 1000 {
			t.Fatal("more than 1000 identities were accepted")
		}
		if err := auth(c, "user0:pw"); err != jute.ErrOk { // known already: it takes no room
			t.Fatalf("identity 0 again: got %v, want ok", err)
		}
	}
	c.wantEOF()
	if accepted < 50 {
		t.Errorf("%d identities were accepted, want at least 50", accepted)
	}
	c, _ = c.reattach(addr)
	if got := auth(c, strings.Repeat("x", 4<<10)+":pw"); got != jute.ErrAuthFailed {
		t.Errorf("a user's name of 4 KiB: got %v, want %v", got, jute.ErrAuthFailed)
	}
	c.wantEOF()
}

// A client that is never told whether it is known asks for ever, as fast as it can,
// and has to be told some time. Its session lives on.
func TestSASLIsLimited(t *testing.T) {
	const limit = 16
	s, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, sessionTimeout)
	for range limit {
		c.must(jute.OpSASL, &jute.SASLToken{Token: []byte("x")}, nil)
	}
	c.fails(jute.ErrAuthFailed, jute.OpSASL, &jute.SASLToken{Token: []byte("x")})
	c.wantEOF()
	if got := s.State().Counts.AuthFailures; got != 1 {
		t.Errorf("got %d failures counted, want 1", got)
	}
	if _, r := c.reattach(addr); r.SessionID != c.id {
		t.Errorf("got session %#x, want %#x: it lives on", r.SessionID, c.id)
	}
}
