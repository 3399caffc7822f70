// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A model is the tree as a map, written without regard to speed, to be compared
// with.
type model struct {
	nodes    map[string]*modelNode
	sessions map[int64]bool
}

type modelNode struct {
	data    string
	stat    jute.Stat // but Cversion, NumChildren, DataLength
	created int32
}

func newModel() *model {
	m := &model{nodes: map[string]*modelNode{}, sessions: map[int64]bool{}}
	for _, path := range []string{Root, jute.SystemPath, jute.QuotaPath, jute.ConfigPath} {
		m.nodes[path] = &modelNode{}
	}
	m.nodes[jute.ConfigPath].stat.Aversion = -1
	return m
}

func (m *model) clone() *model {
	c := &model{nodes: map[string]*modelNode{}, sessions: map[int64]bool{}}
	for path, n := range m.nodes {
		copied := *n
		c.nodes[path] = &copied
	}
	for id := range m.sessions {
		c.sessions[id] = true
	}
	return c
}

func (m *model) children(path string) []string {
	prefix := strings.TrimSuffix(path, "/") + "/"
	names := []string{}
	for p := range m.nodes {
		if name, ok := strings.CutPrefix(p, prefix); ok && name != "" && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *model) stat(path string) jute.Stat {
	n := m.nodes[path]
	s := n.stat
	s.NumChildren = int32(len(m.children(path)))
	s.Cversion = 2*n.created - s.NumChildren
	s.DataLength = int32(len(n.data))
	return s
}

func modelParent(path string) string {
	i := strings.LastIndex(path, "/")
	if i == 0 {
		return "/"
	}
	return path[:i]
}

// do is what a request does to the model, and its code and path.
func (m *model) do(r *Request, zxid, now int64) (jute.ErrCode, string) {
	if r.Op == OpOpenSession {
		m.sessions[r.Session] = true
		return 0, ""
	}
	if !m.sessions[r.Session] {
		return jute.ErrSessionExpired, ""
	}
	n, parent := m.nodes[r.Path], m.nodes[modelParent("/"+strings.TrimPrefix(r.Path, "/"))]
	switch r.Op {
	case jute.OpCloseSession:
		delete(m.sessions, r.Session)
		for path, n := range m.nodes {
			if n.stat.EphemeralOwner == r.Session {
				m.remove(path, zxid)
			}
		}
		return 0, ""
	case jute.OpCreate:
		return m.create(r, parent, zxid, now)
	case jute.OpDelete:
		switch {
		case slices.Contains([]string{Root, jute.SystemPath, jute.QuotaPath, jute.ConfigPath}, r.Path):
			return jute.ErrBadArguments, ""
		case parent == nil || n == nil:
			return jute.ErrNoNode, ""
		case r.Version != -1 && r.Version != n.stat.Version:
			return jute.ErrBadVersion, ""
		case len(m.children(r.Path)) > 0:
			return jute.ErrNotEmpty, ""
		}
		m.remove(r.Path, zxid)
	case jute.OpSetData, jute.OpCheck:
		switch {
		case n == nil:
			return jute.ErrNoNode, ""
		case r.Version != -1 && r.Version != n.stat.Version:
			return jute.ErrBadVersion, ""
		}
		if r.Op == jute.OpSetData {
			n.data = string(r.Data)
			n.stat.Version++
			n.stat.Mzxid, n.stat.Mtime = zxid, now
		}
	case jute.OpSetACL:
		switch {
		case n == nil:
			return jute.ErrNoNode, ""
		case r.Version != -1 && r.Version != n.stat.Aversion:
			return jute.ErrBadVersion, ""
		}
		n.stat.Aversion++
	}
	return 0, ""
}

func (m *model) create(r *Request, parent *modelNode, zxid, now int64) (jute.ErrCode, string) {
	if parent == nil {
		return jute.ErrNoNode, ""
	}
	path := r.Path
	if r.Flags >= 2 {
		path = fmt.Sprintf("%s%010d", path, parent.created)
	}
	switch {
	case m.nodes[path] != nil:
		return jute.ErrNodeExists, ""
	case parent.stat.EphemeralOwner != 0:
		return jute.ErrNoChildrenForEphemerals, ""
	}
	n := &modelNode{data: string(r.Data)}
	n.stat = jute.Stat{Czxid: zxid, Mzxid: zxid, Pzxid: zxid, Ctime: now, Mtime: now}
	if r.Flags&1 != 0 {
		n.stat.EphemeralOwner = r.Session
	}
	m.nodes[path] = n
	parent.created++
	parent.stat.Pzxid = zxid
	return 0, path
}

func (m *model) remove(path string, zxid int64) {
	delete(m.nodes, path)
	m.nodes[modelParent(path)].stat.Pzxid = zxid
}

// A snapshot is all there is to see.
type snapshot map[string]seen

type seen struct {
	data     string
	stat     jute.Stat
	children []string
}

func (m *model) look() snapshot {
	s := snapshot{}
	for path, n := range m.nodes {
		s[path] = seen{n.data, m.stat(path), m.children(path)}
	}
	return s
}

func look(t *Tree) snapshot {
	s := snapshot{}
	t.nodes.all(func(n *Node) bool {
		children := []string{}
		t.Children(n, func(name string) bool {
			children = append(children, name)
			return true
		})
		s[n.Path] = seen{string(n.Data), n.Stat(), children}
		return true
	})
	return s
}

// ops makes random requests that often hit something.
type ops struct{ *rand.Rand }

func (o ops) path() string {
	depth := 1 + o.IntN(3)
	var b strings.Builder
	for range depth {
		fmt.Fprintf(&b, "/%c", 'a'+rune(o.IntN(4)))
	}
	return b.String()
}

func (o ops) request(multi bool) Request {
	r := Request{Session: int64(1 + o.IntN(4)), Path: o.path(), Version: -1, ACL: WorldAnyone()}
	if o.IntN(3) == 0 {
		r.Version = int32(o.IntN(3))
	}
	switch n := o.IntN(100); {
	case n < 45:
		r.Op, r.Flags = jute.OpCreate, int32(o.IntN(4))
	case n < 65:
		r.Op = jute.OpDelete
	case n < 80:
		r.Op = jute.OpSetData
	case n < 85:
		r.Op = jute.OpCheck
	case n < 88 && multi:
		r.Op = jute.OpSetACL
	case n < 90 && multi:
		r.Op = jute.OpCloseSession
	case n < 93 && multi:
		r.Op, r.Version = OpOpenSession, 1000
	case multi:
		r.Op = jute.OpMulti
		for range o.IntN(5) {
			r.Ops = append(r.Ops, o.request(false))
		}
	default:
		r.Op = jute.OpCreate
	}
	r.Data = []byte(strings.Repeat("x", o.IntN(4)))
	return r
}

// doMulti is a multi on the model: the clone replaces it if all succeed.
func (m *model) doMulti(r *Request, zxid, now int64) (*model, []jute.ErrCode) {
	c := m.clone()
	codes := make([]jute.ErrCode, len(r.Ops))
	for i := range r.Ops {
		op := r.Ops[i]
		op.Session = r.Session
		if codes[i], _ = c.do(&op, zxid, now); codes[i] != 0 {
			for j := i + 1; j < len(codes); j++ {
				codes[j] = jute.ErrRuntimeInconsistency
			}
			return m, codes
		}
	}
	return c, codes
}

func TestRandomOperations(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	o := ops{rand.New(rand.NewPCG(seed, 0))}
	m, cur := newModel(), New(100)
	type version struct {
		tree *Tree
		want snapshot
	}
	var kept []version
	for range 80 {
		b := cur.Begin()
		for range 1 + o.IntN(30) {
			if o.IntN(20) == 0 {
				kept = append(kept, version{b.Snapshot(), m.look()})
			}
			r := o.request(true)
			zxid, now := b.Zxid()+1, int64(1000+o.IntN(1000))
			before := b.Zxid()
			out := b.Do(&r, zxid, now)
			var code jute.ErrCode
			var path string
			if r.Op == jute.OpMulti {
				var codes []jute.ErrCode
				m, codes = m.doMulti(&r, zxid, now)
				for i, res := range out.Results {
					if res.Err != codes[i] {
						t.Fatalf("%+v: result %d: got %v, want %v", r, i, res.Err, codes[i])
					}
				}
			} else {
				code, path = m.do(&r, zxid, now)
			}
			if out.Err != code || out.Path != path {
				t.Fatalf("%+v: got %v %q, want %v %q", r, out.Err, out.Path, code, path)
			}
			if failed := out.Err != 0; failed && (b.Zxid() != before || len(out.Events) > 0) {
				t.Fatalf("%+v failed: got zxid %d and %d events, want %d and 0", r, b.Zxid(), len(out.Events), before)
			}
			if path != "" {
				if diff := cmp.Diff(m.stat(path), out.Stat); diff != "" {
					t.Fatalf("%+v: Stat (-want +got):\n%s", r, diff)
				}
			}
		}
		next := b.Commit()
		want := m.look()
		if diff := cmp.Diff(want, look(next), cmp.AllowUnexported(seen{})); diff != "" {
			t.Fatalf("tree (-want +got):\n%s", diff)
		}
		again, err := cur.Apply(b.Txns())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, look(again), cmp.AllowUnexported(seen{})); diff != "" {
			t.Fatalf("transactions applied again (-want +got):\n%s", diff)
		}
		checkSessions(t, m, next)
		checkSessions(t, m, again)
		cur = next
	}
	for _, v := range kept {
		if diff := cmp.Diff(v.want, look(v.tree), cmp.AllowUnexported(seen{})); diff != "" {
			t.Fatalf("an old version has changed (-want +got):\n%s", diff)
		}
	}
}

func checkSessions(t *testing.T, m *model, tr *Tree) {
	t.Helper()
	if got, want := tr.NumSessions(), len(m.sessions); got != want {
		t.Fatalf("got %d sessions, want %d", got, want)
	}
	total := 0
	tr.Sessions(func(id int64, timeout int32) bool {
		want := []string{}
		for path, n := range m.nodes {
			if n.stat.EphemeralOwner == id {
				want = append(want, path)
			}
		}
		slices.Sort(want)
		if got := tr.Ephemerals(id); !slices.Equal(got, want) || !m.sessions[id] || timeout != 1000 {
			t.Fatalf("session %d of %d ms: got ephemerals %q, want %q", id, timeout, got, want)
		}
		total += len(want)
		return true
	})
	if got := tr.NumEphemerals(); got != total {
		t.Fatalf("got %d ephemerals, want %d", got, total)
	}
}
