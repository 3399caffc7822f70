// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// chunksOf returns the snapshot of a tree.
func chunksOf(t testing.TB, tr *Tree) [][]byte {
	t.Helper()
	var chunks [][]byte
	err := tr.WriteSnapshot(func(chunk []byte) error {
		chunks = append(chunks, bytes.Clone(chunk))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return chunks
}

func loaded(chunks [][]byte) (*Tree, error) {
	l := NewLoader()
	for _, chunk := range chunks {
		if err := l.Add(chunk); err != nil {
			return nil, err
		}
	}
	return l.Tree()
}

// items returns what a btree holds.
func items[T any](t *btree[T]) []T {
	var all []T
	t.all(func(item T) bool {
		all = append(all, item)
		return true
	})
	return all
}

// whole is everything that there is in a tree.
type whole struct {
	Chunks                      []string
	Ephemerals, Mortals, Quotas []string
	Bytes, Zxid                 int64
}

func wholeOf(t testing.TB, tr *Tree) whole {
	t.Helper()
	var ephemerals []string
	for _, e := range items(&tr.ephemerals) {
		ephemerals = append(ephemerals, fmt.Sprint(e))
	}
	w := whole{nil, ephemerals, items(&tr.mortals), items(&tr.quotas), tr.bytes, tr.zxid}
	for _, chunk := range chunksOf(t, tr) {
		w.Chunks = append(w.Chunks, string(chunk))
	}
	return w
}

// varied makes a random request of one more kinds than ops.request.
func (o ops) varied() Request {
	r := o.request(true)
	switch o.IntN(12) {
	case 0:
		r.Op = jute.OpCreateContainer
	case 1:
		r.Op, r.Flags, r.TTL = jute.OpCreateTTL, jute.FlagTTL, 1+o.Int64N(1000)
	case 2:
		r.Op, r.Path, r.Flags = jute.OpCreate, jute.QuotaPath+"/a", 0 // an ephemeral one would keep its place without children
	case 3:
		r.Op, r.Path, r.Data = jute.OpCreate, jute.QuotaPath+"/a"+[]string{limitsName, statsName}[o.IntN(2)], []byte("count=5,bytes=-1")
	case 4:
		r.Op, r.ACL = jute.OpCreate, []jute.ACL{{Perms: jute.PermAll, Scheme: SchemeIP, ID: "127.0.0.1"}}
	case 5:
		r.Data = nil
	}
	return r
}

// A tree of a snapshot and of transactions that were encoded is the tree that
// they were made of, in every respect, and can be worked on.
func TestSnapshotAndTxnRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	o := ops{rand.New(rand.NewPCG(seed, 0))}
	cur, copied := New(100), New(100)
	var most whole // that there was of each index
	for range 60 {
		b := cur.Begin()
		b.Rules.ExtendedTypes = true
		for range 1 + o.IntN(40) {
			r := o.varied()
			b.Do(&r, b.Zxid()+1, int64(1000+o.IntN(1000)))
		}
		cur = b.Commit()
		var err error
		if copied, err = loaded(chunksOf(t, copied)); err != nil {
			t.Fatal(err)
		}
		var txns []Txn
		for i := range b.Txns() {
			txn, err := DecodeTxn(AppendTxn(nil, &b.Txns()[i]))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b.Txns()[i], txn); diff != "" {
				t.Fatalf("transaction (-want +got):\n%s", diff)
			}
			txns = append(txns, txn)
		}
		if copied, err = copied.Apply(txns); err != nil {
			t.Fatal(err)
		}
		w := wholeOf(t, cur)
		if diff := cmp.Diff(w, wholeOf(t, copied)); diff != "" {
			t.Fatalf("tree (-want +got):\n%s", diff)
		}
		most.Ephemerals = append(most.Ephemerals, w.Ephemerals...)
		most.Mortals = append(most.Mortals, w.Mortals...)
		most.Quotas = append(most.Quotas, w.Quotas...)
	}
	if len(most.Ephemerals) == 0 || len(most.Mortals) == 0 || len(most.Quotas) == 0 {
		t.Errorf("nothing was compared: %d ephemerals, %d mortals, %d quotas", len(most.Ephemerals), len(most.Mortals), len(most.Quotas))
	}
	if root := copied.Get(Root); !isWorldAnyone(root.ACL) {
		t.Error("the common ACL is not the shared one")
	}
}

func TestSnapshotOfManyChunks(t *testing.T) {
	b := New(7).Begin()
	b.Do(&Request{Op: OpOpenSession, Session: 1, Version: 10}, 8, 0)
	for i := range 3000 {
		r := Request{Op: jute.OpCreate, Session: 1, Path: "/n", Flags: jute.FlagEphemeralSequential, ACL: WorldAnyone(), Data: make([]byte, i%100)}
		if i%1000 == 0 {
			r.Data = make([]byte, 2*chunkBytes)
		}
		if out := b.Do(&r, b.Zxid()+1, 0); out.Err != 0 {
			t.Fatal(out.Err)
		}
	}
	tr := b.Commit()
	chunks := chunksOf(t, tr)
	if len(chunks) < 5 {
		t.Errorf("got %d chunks, want several", len(chunks))
	}
	again, err := loaded(chunks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeOf(t, tr), wholeOf(t, again)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	for n := range chunks {
		left := n
		err := tr.WriteSnapshot(func([]byte) error {
			if left--; left < 0 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Errorf("write fails at chunk %d: got %v, want its error", n, err)
		}
	}
}

// A snapshot that is not of one tree is refused.
func TestLoaderRefuses(t *testing.T) {
	b := New(7).Begin()
	b.Do(&Request{Op: OpOpenSession, Session: 1, Version: 10}, 8, 0)
	for _, path := range []string{"/a", "/a/b", "/c"} {
		b.Do(&Request{Op: jute.OpCreate, Session: 1, Path: path, ACL: WorldAnyone()}, b.Zxid()+1, 0)
	}
	b.Do(&Request{Op: jute.OpCreate, Session: 1, Path: "/e", Flags: jute.FlagEphemeral, ACL: WorldAnyone()}, b.Zxid()+1, 0)
	good := chunksOf(t, b.Commit())
	if len(good) != 3 {
		t.Fatalf("got %d chunks, want tree, sessions, nodes", len(good))
	}
	var nodes [][]byte // each node as a chunk of its own
	l := NewLoader()
	for d := jute.NewDecoder(good[2][4:]); d.Len() > 0; {
		nodes = append(nodes, appendNode(jute.AppendInt(nil, chunkNodes), l.decodeNode(&d)))
	}
	whole := slices.Concat(good[:2], nodes)
	if _, err := loaded(whole); err != nil {
		t.Fatal(err)
	}
	without := func(i int) [][]byte { return slices.Delete(slices.Clone(whole), i, i+1) }
	swapped := slices.Clone(whole)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	node := func(n *Node) [][]byte {
		return append(slices.Clone(whole), appendNode(jute.AppendInt(nil, chunkNodes), n))
	}
	for name, tt := range map[string]struct {
		chunks [][]byte
		want   string
	}{
		"nothing":         {nil, "begin"},
		"no tree":         {without(0), "begin"},
		"two trees":       {append(slices.Clone(whole), good[0]), "second"},
		"no session":      {without(1), "session is not there"},
		"session twice":   {slices.Insert(slices.Clone(whole), 1, good[1]), "twice"},
		"no root":         {without(2), "no parent"},
		"order":           {swapped, "does not follow"},
		"node twice":      {append(slices.Clone(whole), whole[len(whole)-1]), "does not follow"},
		"kind":            {append(slices.Clone(whole), jute.AppendInt(nil, 9)), "kind 9"},
		"cut off":         {append(slices.Clone(whole[:2]), good[2][:len(good[2])-1]), "node"},
		"empty chunk":     {append(slices.Clone(whole), nil), "int"},
		"bad path":        {node(&Node{Path: "/a//b"}), "not valid"},
		"child too many":  {node(&Node{Path: "/zookeeper/quota/x"}), "has 1 children, want 0"},
		"sessions cut":    {[][]byte{good[0], good[1][:9]}, "session"},
		"tree cut":        {[][]byte{good[0][:9]}, "snapshot"},
		"missing node":    {without(len(whole) - 1), "want 2"},
		"missing subtree": {without(4), ""},
	} {
		tr, err := loaded(tt.chunks)
		if err == nil || tr != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
		}
	}
	for i := range whole {
		if _, err := loaded(without(i)); err == nil {
			t.Errorf("without chunk %d: no error", i)
		}
	}
}

// someBatch returns a batch of a bit of everything, always the same.
func someBatch() *Batch {
	b := New(100).Begin()
	b.Rules.ExtendedTypes = true
	for id := range int64(4) {
		b.Do(&Request{Op: OpOpenSession, Session: 1 + id, Version: 1000}, b.Zxid()+1, 1000)
	}
	o := ops{rand.New(rand.NewPCG(1, 2))}
	for range 100 {
		r := o.varied()
		b.Do(&r, b.Zxid()+1, 1000)
	}
	return b
}

func FuzzDecodeTxn(f *testing.F) {
	b := someBatch()
	for i := range b.Txns() {
		f.Add(AppendTxn(nil, &b.Txns()[i]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		txn, err := DecodeTxn(data)
		if err != nil {
			return
		}
		again, err := DecodeTxn(AppendTxn(nil, &txn))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(txn, again); diff != "" {
			t.Errorf("encoded and decoded (-want +got):\n%s", diff)
		}
		New(0).Apply([]Txn{txn}) //nolint:errcheck // it may be refused, and must not panic
	})
}

func FuzzLoader(f *testing.F) {
	for _, tr := range []*Tree{New(3), someBatch().Commit()} {
		f.Add(bytes.Join(chunksOf(f, tr), []byte("|")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		chunks := bytes.Split(data, []byte("|"))
		tr, err := loaded(chunks)
		if err != nil {
			return
		}
		again, err := loaded(chunksOf(t, tr))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wholeOf(t, tr), wholeOf(t, again)); diff != "" {
			t.Errorf("written and loaded (-want +got):\n%s", diff)
		}
	})
}
