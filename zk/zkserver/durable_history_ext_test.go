// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A chronicle is what a directory went through in the lives of several servers.
// The model is the tree by itself, which has its own test against a naive one:
// what a server holds after a crash is the version behind one of the requests,
// and not one before the last that was answered.
type chronicle struct {
	*rand.Rand
	t        *testing.T
	fs       *crashfs.FS
	session  *rawConn
	now      int64        // ms, of this life
	versions []*tree.Tree // the first, and behind each request of this life
	answered int          // how many requests were
}

// Random histories of several lives, of which each ends in a loss of power, or a
// kill, at any change of the disk: the tree is exactly that behind a prefix of
// the requests, with all Stats, the zxids in them, counters and ephemeral nodes. The clock of
// a life may be behind that of the one before.
func TestRandomHistories(t *testing.T) {
	seed := realtest.CrashSeed(t)
	for n := range realtest.CrashRounds(t) {
		t.Run(fmt.Sprintf("history %d", n), func(t *testing.T) { // its connections end with it
			c := &chronicle{t: t, Rand: rand.New(rand.NewPCG(seed, uint64(n))), fs: crashfs.New("data")}
			for life := range 5 {
				if err := c.life(); err != nil {
					t.Fatalf("seed %d, life %d: %v", seed, life, err)
				}
			}
		})
	}
}

// life starts a server, compares, and sends requests until the disk is cut off.
func (c *chronicle) life() error {
	c.now = 1_700_000_000_000 + c.Int64N(3_600_000)
	c.fs.CrashAt(1+c.IntN(20), "")
	k, err := c.start()
	if errors.Is(err, crashfs.ErrCrashed) { // in the recovery, which begins anew
		c.fs = c.fs.Crash(c.Rand)
		k, err = c.start()
	}
	c.fs.CrashAt(0, "")
	if err != nil {
		return err
	}
	defer k.Close()
	if err := c.attach(k); err != nil {
		return err
	}
	kinds := append(crashfs.Kinds(), "", "")
	c.fs.CrashAt(1+c.IntN(60), kinds[c.IntN(len(kinds))])
	if err := c.work(); err != nil {
		return err
	}
	if c.IntN(2) == 0 {
		c.fs = c.fs.Kill()
		return nil
	}
	c.fs = c.fs.Crash(c.Rand)
	return nil
}

func (c *chronicle) start() (*kept, error) {
	return tryKept(c.t, zkserver.Options{
		Store: store.Options{FS: c.fs, SegmentBytes: 1000 + c.Int64N(3000), SnapshotBytes: 2000 + c.Int64N(5000)},
		Clock: &fixedClock{now: time.UnixMilli(c.now)},
	})
}

// attach has a session on the server, and a version that is what it holds.
func (c *chronicle) attach(k *kept) error {
	first := c.session == nil
	if first {
		c.session = open(c.t, k.addr, 20*time.Second)
		zxid := c.zxid()
		c.versions = []*tree.Tree{tree.New(zxid - 1)}
		c.apply(&tree.Request{Op: tree.OpOpenSession, Session: c.session.id, Version: 20000})
		c.answered = 1
	} else {
		again, resp := c.session.reattach(k.addr)
		if resp.SessionID != c.session.id {
			return fmt.Errorf("session %x is gone", c.session.id)
		}
		c.session = again
		c.session.id, c.session.password = resp.SessionID, resp.Password
	}
	// A life begins with a zxid of its own, so that the nodes alone tell the version.
	zxid, got, last := c.zxid(), c.nodes(), c.versions[len(c.versions)-1]
	if !first && zxid <= last.Zxid() {
		return fmt.Errorf("the zxid is 0x%x behind 0x%x, want a greater one", zxid, last.Zxid())
	}
	i := slices.IndexFunc(c.versions[c.answered:], func(t *tree.Tree) bool { return maps.Equal(nodesOf(t), got) })
	if i < 0 {
		return fmt.Errorf("the nodes are of no version from 0x%x to 0x%x; the last (-want +got):\n%s",
			c.versions[c.answered].Zxid(), last.Zxid(), cmp.Diff(nodesOf(last), got))
	}
	begun := c.versions[c.answered+i]
	if zxid > begun.Zxid() {
		var err error
		if begun, err = begun.Apply([]tree.Txn{{Zxid: zxid}}); err != nil {
			return err
		}
	}
	c.versions, c.answered = []*tree.Tree{begun}, 0
	return nil
}

// zxid returns that of the version which the server shows.
func (c *chronicle) zxid() int64 {
	m := c.session.must(jute.OpExists, &jute.PathWatchRequest{Path: "/"}, nil)
	return m.Zxid
}

func (c *chronicle) apply(r *tree.Request) tree.Outcome {
	b := c.versions[len(c.versions)-1].Begin()
	out := b.Do(r, b.Zxid()+1, c.now)
	c.versions = append(c.versions, b.Commit())
	return out
}

// work sends requests, a few of them ahead of their answers, and demands those of
// the model until the connection ends.
func (c *chronicle) work() error {
	var outcomes []tree.Outcome
	ahead := c.IntN(10)
	for n, i := 10+c.IntN(80), 0; i < n; i++ {
		for len(outcomes) < min(n, i+1+ahead) {
			r := c.request(true)
			frame := request(int32(len(outcomes)), r.Op, recordOf(&r))
			outcomes = append(outcomes, c.apply(&r))
			c.session.nc.Write(frame) //nolint:errcheck // what has happened is seen by who reads
		}
		b, err := c.session.next()
		if err != nil {
			return nil //nolint:nilerr // told in another way
		}
		var h jute.ReplyHeader
		d := jute.NewDecoder(b)
		h.Decode(&d)
		if want := (jute.ReplyHeader{Xid: int32(i), Zxid: outcomes[i].Zxid, Err: outcomes[i].Err}); h != want {
			return fmt.Errorf("request %d: got %+v, want %+v", i, h, want)
		}
		c.answered = i + 1
	}
	return nil
}

// request makes a request that often hits something.
func (c *chronicle) request(multi bool) tree.Request {
	r := tree.Request{Session: c.session.id, ACL: tree.WorldAnyone(), Version: -1}
	r.Data = bytes.Repeat([]byte{byte('a' + c.IntN(26))}, c.IntN(300))
	for range 1 + c.IntN(3) {
		r.Path += fmt.Sprintf("/%c", 'a'+rune(c.IntN(3)))
	}
	if c.IntN(3) == 0 {
		r.Version = int32(c.IntN(3))
	}
	switch n := c.IntN(20); {
	case n < 8:
		r.Op, r.Flags = jute.OpCreate, int32(c.IntN(4))
	case n < 12:
		r.Op = jute.OpDelete
	case n < 15:
		r.Op = jute.OpSetData
	case n < 16 && multi:
		r.Op = jute.OpSetACL
	case multi:
		r.Op = jute.OpMulti
		for range 1 + c.IntN(4) {
			r.Ops = append(r.Ops, c.request(false))
		}
	default:
		r.Op = jute.OpCheck
	}
	return r
}

// recordOf returns what stands on the wire for a request.
func recordOf(r *tree.Request) jute.Record {
	switch r.Op {
	case jute.OpCreate:
		return &jute.CreateRequest{Path: r.Path, Data: r.Data, ACL: r.ACL, Flags: r.Flags}
	case jute.OpSetData:
		return &jute.SetDataRequest{Path: r.Path, Data: r.Data, Version: r.Version}
	case jute.OpSetACL:
		return &jute.SetACLRequest{Path: r.Path, ACL: r.ACL, Version: r.Version}
	case jute.OpMulti:
		var m jute.MultiRequest
		for i := range r.Ops {
			m.Ops = append(m.Ops, jute.MultiOp{Op: r.Ops[i].Op, Request: recordOf(&r.Ops[i])})
		}
		return &m
	}
	return &jute.PathVersionRequest{Path: r.Path, Version: r.Version}
}

// A keptNode is all there is to see of a node.
type keptNode struct {
	Data     string
	Stat     jute.Stat
	Children string // their names, in order
}

// nodesOf returns the nodes of a version but those of the server itself.
func nodesOf(t *tree.Tree) map[string]keptNode {
	nodes := map[string]keptNode{}
	var add func(path string)
	add = func(path string) {
		n := t.Get(path)
		var children []string
		t.Children(n, func(name string) bool {
			children = append(children, name)
			return true
		})
		slices.Sort(children)
		nodes[path] = keptNode{string(n.Data), n.Stat(), strings.Join(children, " ")}
		addChildren(path, children, add)
	}
	add("/")
	return nodes
}

func addChildren(path string, children []string, add func(path string)) {
	for _, name := range children {
		if child := strings.TrimSuffix(path, "/") + "/" + name; child != "/zookeeper" {
			add(child)
		}
	}
}

// nodes asks the server for them.
func (c *chronicle) nodes() map[string]keptNode {
	nodes := map[string]keptNode{}
	var add func(path string)
	add = func(path string) {
		var data jute.GetDataResponse
		var list jute.GetChildrenResponse
		c.session.must(jute.OpGetData, &jute.PathWatchRequest{Path: path}, &data)
		c.session.must(jute.OpGetChildren, &jute.PathWatchRequest{Path: path}, &list)
		slices.Sort(list.Children)
		nodes[path] = keptNode{string(data.Data), data.Stat, strings.Join(list.Children, " ")}
		addChildren(path, list.Children, add)
	}
	add("/")
	return nodes
}

// A fixedClock stands still; its waits are real.
type fixedClock struct{ now time.Time }

func (c *fixedClock) Now() time.Time                         { return c.now }
func (c *fixedClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
