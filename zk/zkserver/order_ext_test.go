// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// Pipelined writes and reads of one connection are answered in their order, and
// each read shows the writes before it and none behind it.
func testPipelineOrder(t *testing.T, addr, base string) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	c := open(t, addr, 10*time.Second)
	n := c.create(base+"/n", 0)
	const count = 3000
	var frames []byte
	want := make([]int, count) // the version that each reply shows; -1: none
	version := 0
	for i := range count {
		xid := int32(i)
		want[i] = -1
		switch rnd.IntN(6) {
		case 0, 1:
			version++
			want[i] = version
			frames = append(frames, request(xid, jute.OpSetData, &jute.SetDataRequest{Path: n, Version: -1})...)
		case 2, 3:
			want[i] = version
			frames = append(frames, request(xid, jute.OpExists, &jute.PathWatchRequest{Path: n})...)
		case 4:
			frames = append(frames, request(xid, jute.OpSync, &jute.Path{Path: n})...)
		case 5:
			frames = append(frames, request(xid, jute.OpDelete, &jute.PathVersionRequest{Path: base + "/missing"})...)
		}
	}
	var sender sync.WaitGroup
	sender.Go(func() { c.write(frames) })
	var zxid int64
	for i := range count {
		m := c.message()
		if m.Xid != int32(i) {
			t.Fatalf("got xid %d, want %d", m.Xid, i)
		}
		if m.Zxid < zxid {
			t.Fatalf("reply %d: zxid 0x%x after 0x%x", i, m.Zxid, zxid)
		}
		zxid = m.Zxid
		if want[i] >= 0 {
			var s jute.Stat
			m.decode(t, &s)
			if int(s.Version) != want[i] {
				t.Fatalf("reply %d: got version %d, want %d", i, s.Version, want[i])
			}
		}
	}
	sender.Wait()
}

// A ping is answered; it does not disturb the order of the others.
func TestPingsBetweenWrites(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, 10*time.Second)
	var frames []byte
	for i := range 100 {
		frames = append(frames, request(int32(i), jute.OpCreate, newNode("/n"+strconv.Itoa(i), 0))...)
		frames = append(frames, request(jute.XidPing, jute.OpPing, nil)...)
	}
	c.write(frames)
	next, pings := int32(0), 0
	for next < 100 || pings < 100 {
		switch m := c.message(); m.Xid {
		case jute.XidPing:
			pings++
		case next:
			next++
		default:
			t.Fatalf("got xid %d, want %d or a ping's", m.Xid, next)
		}
	}
}

// After a write is acknowledged everybody sees it, and nobody ever sees values
// go backwards.
func testReadsSeeAcknowledgedWrites(t *testing.T, addr, base string) {
	w := open(t, addr, 10*time.Second)
	n := w.create(base+"/n", 0)
	var acked sync.Map // reader reads at least what is stored here before it asks
	acked.Store("v", int32(0))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		c := open(t, addr, 10*time.Second)
		readers.Go(func() {
			last := int32(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				least, _ := acked.Load("v")
				got := c.stat(n).Version
				if got < least.(int32) || got < last {
					t.Errorf("got version %d, want at least %d, the acknowledged, and %d, the last seen", got, least, last)
					return
				}
				last = got
			}
		})
	}
	for i := range int32(200) {
		w.must(jute.OpSetData, &jute.SetDataRequest{Path: n, Version: i}, nil)
		acked.Store("v", i+1)
	}
	close(stop)
	readers.Wait()
}

// An event reaches a connection before any reply that shows its change, and
// behind every reply that does not: whoever counts the events of a persistent
// watch knows the version that the next reply shows.
func TestEventsAndRepliesInOneOrder(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	w := open(t, addr, 30*time.Second)
	w.create("/n", 0)
	for range 50 { // they keep the server busy between a change and its last event
		c := open(t, addr, 30*time.Second)
		c.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/n", Mode: jute.WatchPersistent}, nil)
	}
	const writes = 1000
	var readers sync.WaitGroup
	for range 3 {
		c := open(t, addr, 30*time.Second)
		c.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/n", Mode: jute.WatchPersistent}, nil)
		var burst []byte
		for i := range 20 {
			burst = append(burst, request(int32(i), jute.OpExists, &jute.PathWatchRequest{Path: "/n"})...)
		}
		readers.Go(func() {
			for events := int32(0); events < writes && !t.Failed(); {
				c.write(burst)
				for replies := 0; replies < 20; {
					m := c.message()
					if m.Xid == jute.XidNotification {
						events++
						continue
					}
					var s jute.Stat
					m.decode(t, &s)
					if s.Version != events {
						t.Errorf("got version %d behind %d events", s.Version, events)
					}
					replies++
				}
			}
		})
	}
	for range writes {
		w.must(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1}, nil)
	}
	readers.Wait()
}

// A one-shot watch left by a read misses nothing that happens behind the read.
func TestWatchedReadsMissNothing(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	w := open(t, addr, 10*time.Second)
	w.create("/n", 0)
	const writes = 2000
	var watchers sync.WaitGroup
	for range 3 {
		c := open(t, addr, 10*time.Second)
		watchers.Go(func() { followVersions(t, c, writes) })
	}
	for i := range int32(writes) {
		w.send(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: i})
		if i%16 == 15 {
			for range 16 {
				w.message()
			}
		}
	}
	watchers.Wait()
}

// followVersions reads with a watch until it has seen the last version. While a
// watch is set no reply may show a later version than the one it was set at,
// unless its event came first.
func followVersions(t *testing.T, c *rawConn, last int32) {
	t.Helper()
	watched, armed := int32(-1), false
	for watched < last {
		c.send(jute.OpExists, &jute.PathWatchRequest{Path: "/n", Watch: true})
		c.send(jute.OpExists, &jute.PathWatchRequest{Path: "/n"})
		for replies := 0; replies < 2; {
			m := c.message()
			if m.Xid == jute.XidNotification {
				armed = false
				continue
			}
			var s jute.Stat
			m.decode(t, &s)
			if armed && s.Version != watched {
				t.Errorf("got version %d before the event of the change from %d", s.Version, watched)
				return
			}
			if replies == 0 {
				armed = true
			}
			if armed {
				watched = s.Version
			}
			replies++
		}
		if armed && watched < last { // wait for the event
			m := c.message()
			if e := m.event(t); e.Type != jute.EventNodeDataChanged {
				t.Errorf("got %v, want NodeDataChanged", e.Type)
			}
			armed = false
		}
	}
}

// Many watchers on one path are all told, and nothing of theirs stays.
func TestManyWatches(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{})
	w := open(t, addr, 10*time.Second)
	w.create("/n", 0)
	conns := make([]*rawConn, 50)
	for i := range conns {
		conns[i] = open(t, addr, 10*time.Second)
		for j := range 50 {
			conns[i].do(jute.OpExists, &jute.PathWatchRequest{Path: fmt.Sprintf("/missing%d", j), Watch: true})
		}
		conns[i].must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/n", Mode: int32(i % 2)}, nil)
	}
	w.must(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1}, nil)
	for _, c := range conns {
		m := c.message()
		if e := m.event(t); e.Type != jute.EventNodeDataChanged || m.Zxid != w.stat("/n").Mzxid {
			t.Errorf("got %+v at 0x%x, want NodeDataChanged at the zxid of the change", e, m.Zxid)
		}
		c.nc.Close()
	}
	waitFor(t, "end of all watches", func() bool { return s.Watches() == 0 })
}

// A connection whose client does not read is given up before it fills the
// memory. Its session lives on.
func TestClientThatDoesNotRead(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{})
	deaf := open(t, addr, 40*time.Second)
	deaf.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: jute.WatchPersistentRecursive}, nil)
	w := open(t, addr, 40*time.Second)
	long := "/" + fmt.Sprintf("%0100000d", 7)
	w.create(long, 0)
	connected := func() bool {
		for _, info := range s.Sessions() {
			if info.ID == deaf.id {
				return info.Remote != nil
			}
		}
		t.Fatal("the session is gone")
		return false
	}
	for i := 0; connected(); i++ {
		if i > 1000 {
			t.Fatalf("%d events of 100 kB are waiting, want the connection closed", i)
		}
		w.must(jute.OpSetData, &jute.SetDataRequest{Path: long, Version: -1}, nil)
	}
}
