// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// both are behaviours that a scenario cannot tell, of this server and of Apache
// ZooKeeper alike. Each has the path of a node below which it may do what it
// likes; servers have ticks of 500 ms and hold nodes with a time to live.
var both = map[string]func(t *testing.T, addr, base string){
	"replies in the order of requests": testPipelineOrder,
	"reads see acknowledged writes":    testReadsSeeAcknowledgedWrites,
	"sessions kept alive":              testKeptAlive,
	"no sign of life":                  testNoSignOfLife,
	"time to live begun anew":          testTimeToLiveRenewed,
	"requests behind the end":          testBehindTheEnd,
	"great lists of children":          testGreatList,
	"watches of one connection":        testManyWatchesOfOne,
	"great multi":                      testGreatMulti,
}

func TestBoth(t *testing.T) {
	t.Parallel()
	su := &suites[slices.IndexFunc(suites, func(su suite) bool { return su.dir == "extended" })]
	testBoth(t, su.ours)
}

// testBoth looks for each behaviour on a server.
func testBoth(t *testing.T, server func(t *testing.T) place) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(both)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := server(t).addr
			c := open(t, addr, sessionTimeout)
			both[name](t, addr, c.create("/"+strings.ReplaceAll(name, " ", "-"), 0))
		})
	}
}

// keepUp gives signs, each of which must succeed, for some time, with no pause
// longer than what is allowed. A machine that is too slow for that tries again.
func keepUp(t *testing.T, forTime, pause time.Duration, begin func(), sign func() bool) {
	t.Helper()
	const tries = 10
	for range tries {
		begin()
		last := time.Now()
		tick := time.NewTicker(pause / 8)
		inTime := true
		for begun := last; inTime && time.Since(begun) < forTime; {
			<-tick.C
			ok := sign()
			inTime = time.Since(last) < pause
			if inTime && !ok {
				t.Errorf("ended after %v, with no pause of %v", time.Since(begun), pause)
				break
			}
			last = time.Now()
		}
		tick.Stop()
		if inTime {
			return
		}
	}
	t.Fatalf("this machine pauses for %v all the time", pause)
}

// A session lasts as long as its client is heard of, whatever it says: for twice
// its timeout here.
func testKeptAlive(t *testing.T, addr, base string) {
	const timeout = time.Second
	sign := func(op jute.OpCode, r jute.Record) func(c *rawConn) bool {
		return func(c *rawConn) bool { return c.answered(request(1, op, r)) }
	}
	signs := map[string]func(c *rawConn) bool{
		"syncs":               sign(jute.OpSync, &jute.Path{Path: base}),
		"who am I":            sign(jute.OpWhoAmI, nil),
		"watches":             sign(jute.OpSetWatches, &jute.SetWatchesRequest{}),
		"what cannot be read": sign(jute.OpExists, raw{0}),
		"pings":               func(c *rawConn) bool { return c.answered(request(jute.XidPing, jute.OpPing, nil)) },
		"reads": func(c *rawConn) bool {
			return c.answered(request(1, jute.OpExists, &jute.PathWatchRequest{Path: base}))
		},
		"writes": func(c *rawConn) bool {
			return c.answered(request(1, jute.OpSetData, &jute.SetDataRequest{Path: "/missing", Version: -1}))
		},
	}
	var conns map[string]*rawConn
	begin := func() {
		conns = map[string]*rawConn{}
		for name := range signs {
			conns[name] = open(t, addr, timeout)
		}
	}
	keepUp(t, 2*timeout, timeout*2/3, begin, func() bool {
		alive := true
		for name, sign := range signs {
			if !sign(conns[name]) {
				t.Logf("%s: no answer", name)
				alive = false
			}
		}
		return alive
	})
}

// What does not keep a session: an authentication, however it goes on, requests that
// never become whole, and what the client is told. The session ends while that
// lasts, and not before its time.
func testNoSignOfLife(t *testing.T, addr, base string) {
	const timeout, pause, tooLong = time.Second, 100 * time.Millisecond, 10 * time.Second
	auth := func(scheme string) func(int) []byte {
		r := &jute.AuthRequest{Scheme: scheme, Auth: []byte("a:b")}
		return func(int) []byte { return request(jute.XidAuth, jute.OpAuth, r) }
	}
	nothing := func(int) []byte { return nil }
	for name, sign := range map[string]func(i int) []byte{
		"silence": nothing,
		"digest":  auth("digest"),
		"address": auth("ip"),
		"sasl": func(i int) []byte {
			if i%4 > 0 { // few, for how many there may be is another question
				return nil
			}
			return request(1, jute.OpSASL, &jute.SASLToken{Token: []byte{}})
		},
		"half a request": func(i int) []byte { return []byte{0, 0, 1, 0, 0}[min(i, 4):][:1] },
		"notifications":  nothing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other, c := open(t, addr, sessionTimeout), open(t, addr, timeout)
			if name == "notifications" {
				c.must(jute.OpAddWatch, &jute.PathModeRequest{Path: base, Mode: jute.WatchPersistent}, nil)
			}
			last, ended := time.Now(), make(chan struct{})
			mine := c.create(base+"/"+strings.ReplaceAll(name, " ", "-"), 1)
			go func() {
				defer close(ended)
				for {
					if _, err := c.next(); err != nil {
						return
					}
				}
			}()
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for i := 0; time.Since(last) < tooLong; i++ {
				c.nc.Write(sign(i)) //nolint:errcheck // the end is seen by who reads
				other.must(jute.OpSetData, &jute.SetDataRequest{Path: base, Version: -1}, nil)
				select {
				case <-ended:
					if took := time.Since(last); took < timeout {
						t.Errorf("ended after %v, want %v or more", took, timeout)
					}
					if other.exists(mine) {
						t.Error("the connection has ended and the session has not")
					}
					return
				case <-tick.C:
				}
			}
			t.Errorf("the session has not ended after %v", tooLong)
		})
	}
}

// answered sends a request and reports whether anything came back.
func (c *rawConn) answered(frame []byte) bool {
	c.nc.Write(frame) //nolint:errcheck // what has happened is seen by who reads
	_, err := c.next()
	return err == nil
}

// The time to live of a node begins anew when its data is set.
func testTimeToLiveRenewed(t *testing.T, addr, base string) {
	const ttl = 600 * time.Millisecond
	c := open(t, addr, sessionTimeout)
	var path string
	begin := func() {
		r := &jute.CreateTTLRequest{CreateRequest: *newNode(base+"/t-", jute.FlagTTLSequential), TTLMillis: ttl.Milliseconds()}
		var made jute.Create2Response
		c.must(jute.OpCreateTTL, r, &made)
		path = made.Path
	}
	keepUp(t, 2*ttl, ttl*2/3, begin, func() bool {
		m, _ := c.do(jute.OpSetData, &jute.SetDataRequest{Path: path, Version: -1})
		return m.Err == 0
	})
	set := time.Now()
	c.must(jute.OpSetData, &jute.SetDataRequest{Path: path, Version: -1}, nil)
	c.must(jute.OpExists, &jute.PathWatchRequest{Path: path, Watch: true}, nil)
	m := c.message()
	if e := m.event(t); e.Type != jute.EventNodeDeleted || time.Since(set) < ttl {
		t.Errorf("got %v after %v, want NodeDeleted after %v or more", e.Type, time.Since(set), ttl)
	}
}

// What is asked behind the end of a session is told that it has ended, if it is
// told anything, and does nothing.
func testBehindTheEnd(t *testing.T, addr, base string) {
	c := open(t, addr, sessionTimeout)
	b := request(1, jute.OpCloseSession, nil)
	b = append(b, request(2, jute.OpCreate, newNode(base+"/behind", 0))...)
	b = append(b, request(3, jute.OpExists, &jute.PathWatchRequest{Path: "/"})...)
	b = append(b, request(4, jute.OpDelete, &jute.PathVersionRequest{Path: base + "/missing"})...)
	c.write(b)
	if m := c.message(); m.Xid != 1 || m.Err != 0 {
		t.Errorf("closeSession: got xid %d and %v, want 1 and ok", m.Xid, m.Err)
	}
	for xid := int32(2); ; xid++ {
		b, err := c.next()
		if err != nil {
			break
		}
		if m := parseMessage(t, b); m.Xid != xid || m.Err != jute.ErrSessionExpired {
			t.Errorf("behind it: got xid %d and %v, want %d and %v", m.Xid, m.Err, xid, jute.ErrSessionExpired)
		}
	}
	if open(t, addr, sessionTimeout).exists(base + "/behind") {
		t.Error("what was asked behind the end was done")
	}
}

// A list of children may be longer than a request may be.
func testGreatList(t *testing.T, addr, base string) {
	const children, nameLen = 1100, 1000
	c := open(t, addr, sessionTimeout)
	parent := c.create(base+"/list", 0)
	want := make([]string, children)
	for i := range want {
		want[i] = fmt.Sprintf("%0*d", nameLen, i)
	}
	for names := range slices.Chunk(want, children/2) {
		var r jute.MultiRequest
		for _, name := range names {
			node := &jute.CreateRequest{Path: parent + "/" + name, ACL: jute.WorldAnyone()}
			r.Ops = append(r.Ops, jute.MultiOp{Op: jute.OpCreate, Request: node})
		}
		c.must(jute.OpMulti, &r, nil)
	}
	var list jute.GetChildren2Response
	m := c.must(jute.OpGetChildren2, &jute.PathWatchRequest{Path: parent}, &list)
	slices.Sort(list.Children)
	if !slices.Equal(list.Children, want) || list.Stat.NumChildren != children || len(m.body) < 1<<20 {
		t.Errorf("got %d children of %d in %d bytes, want %d in more than a MiB",
			len(list.Children), list.Stat.NumChildren, len(m.body), children)
	}
}

// However often a connection leaves the same watches, it is told once, and with
// it they all go.
func testManyWatchesOfOne(t *testing.T, addr, base string) {
	const times = 10000
	w := open(t, addr, sessionTimeout)
	n := w.create(base+"/n", 0)
	c := open(t, addr, sessionTimeout)
	var b []byte
	for i := range times {
		op := []jute.OpCode{jute.OpExists, jute.OpGetData, jute.OpGetChildren}[i%3]
		b = append(b, request(int32(i), op, &jute.PathWatchRequest{Path: n, Watch: true})...)
	}
	var sender sync.WaitGroup
	sender.Go(func() { c.write(b) })
	for range times {
		if m := c.message(); m.Err != 0 {
			t.Fatalf("got %v", m.Err)
		}
	}
	sender.Wait()
	if got := word(t, addr, "wchp"); !strings.Contains(got, n+"\n\t"+fmt.Sprintf("0x%x\n", c.id)) {
		t.Errorf("wchp: got %q, want the path and the session", got)
	}
	w.must(jute.OpDelete, &jute.PathVersionRequest{Path: n, Version: -1}, nil)
	_, events := c.do(jute.OpSync, &jute.Path{Path: n})
	if len(events) != 1 || events[0].Type != jute.EventNodeDeleted {
		t.Errorf("got %+v, want one NodeDeleted", events)
	}
	c.do(jute.OpExists, &jute.PathWatchRequest{Path: n, Watch: true})
	c.nc.Close()
	waitFor(t, "end of the watches", func() bool { return !strings.Contains(word(t, addr, "wchp"), n+"\n") })
}

// A multi may be as great as any request.
func testGreatMulti(t *testing.T, addr, base string) {
	const ops = 5000
	c := open(t, addr, sessionTimeout)
	parent := c.create(base+"/m", 0)
	r := jute.MultiRequest{Ops: make([]jute.MultiOp, ops)}
	for i := range r.Ops {
		node := &jute.CreateRequest{Path: fmt.Sprintf("%s/%0130d", parent, i), ACL: jute.WorldAnyone()}
		r.Ops[i] = jute.MultiOp{Op: jute.OpCreate, Request: node}
	}
	if size := len(r.Append(nil)); size < 900_000 || size > 1<<20-100 {
		t.Fatalf("the test's multi has %d bytes, want nearly a MiB", size)
	}
	last := r.Ops[ops-1].Request
	r.Ops[ops-1].Request = r.Ops[0].Request // exists already by then
	var resp jute.MultiResponse
	c.must(jute.OpMulti, &r, &resp)
	if got := resp.Results[ops-1].Err; len(resp.Results) != ops || got != jute.ErrNodeExists {
		t.Errorf("got %d results and %v for the last, want %d and %v", len(resp.Results), got, ops, jute.ErrNodeExists)
	}
	if got := c.stat(parent); got.NumChildren != 0 || got.Cversion != 0 {
		t.Errorf("after a failure: got %+v, want no children", got)
	}
	r.Ops[ops-1].Request = last
	c.must(jute.OpMulti, &r, &resp)
	if got := c.stat(parent); got.NumChildren != ops || got.Pzxid != c.stat(parent+fmt.Sprintf("/%0130d", 0)).Czxid {
		t.Errorf("got %+v, want %d children of one transaction", got, ops)
	}
}
