// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"slices"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// at carries out a request of session 1 at a time.
func (b *Batch) at(now int64, r Request) Outcome {
	r.Session, r.ACL, r.Version = 1, WorldAnyone(), -1
	return b.Do(&r, b.Zxid()+1, now)
}

func (b *Batch) ended(now int64) []string {
	var paths []string
	b.Snapshot().Ended(now, b.Rules, func(path string) bool {
		paths = append(paths, path)
		return true
	})
	return paths
}

func wantEnded(t *testing.T, b *Batch, now int64, want ...string) {
	t.Helper()
	if got := b.ended(now); !slices.Equal(got, want) {
		t.Errorf("at %d: got %q ended, want %q", now, got, want)
	}
	// Nothing else can be removed this way, whatever was found before.
	for _, path := range []string{"/", "/c", "/t", "/p", "/missing", "/e"} {
		if slices.Contains(want, path) {
			continue
		}
		if out := b.Do(&Request{Op: OpReap, Path: path}, b.Zxid()+1, now); out.Err != jute.ErrNoNode {
			t.Errorf("at %d: reaping %s: got %v, want %v", now, path, out.Err, jute.ErrNoNode)
		}
	}
}

func TestContainerEnds(t *testing.T) {
	b := begun()
	b.at(1000, Request{Op: jute.OpCreateContainer, Path: "/c", Flags: 4})
	b.at(1000, Request{Op: jute.OpCreate, Path: "/p"})
	b.at(1000, Request{Op: jute.OpCreate, Path: "/e", Flags: 1})
	wantEnded(t, b, 1<<50)
	b.Rules.NeverUsedMillis = 10
	wantEnded(t, b, 1010)
	wantEnded(t, b, 1011, "/c")
	b.Rules.NeverUsedMillis = 0
	b.at(1000, Request{Op: jute.OpCreate, Path: "/c/x"})
	wantEnded(t, b, 1<<50)
	b.at(1000, Request{Op: jute.OpDelete, Path: "/c/x"})
	wantEnded(t, b, 0, "/c")
	// Somebody takes its place before it is removed.
	b.at(1000, Request{Op: jute.OpDelete, Path: "/c"})
	b.at(1000, Request{Op: jute.OpCreate, Path: "/c"})
	b.at(1000, Request{Op: jute.OpCreate, Path: "/c/x"})
	b.at(1000, Request{Op: jute.OpDelete, Path: "/c/x"})
	wantEnded(t, b, 1<<50)
}

func TestTimeToLiveEnds(t *testing.T) {
	b := begun()
	b.Rules.ExtendedTypes = true
	b.at(1000, Request{Op: jute.OpCreateTTL, Path: "/t", Flags: 5, TTL: 100})
	wantEnded(t, b, 1100)
	wantEnded(t, b, 1101, "/t")
	b.at(1050, Request{Op: jute.OpSetData, Path: "/t"})
	wantEnded(t, b, 1150)
	wantEnded(t, b, 1151, "/t")
	b.at(1151, Request{Op: jute.OpCreate, Path: "/t/x"})
	wantEnded(t, b, 1<<50)
	b.at(5000, Request{Op: jute.OpDelete, Path: "/t/x"})
	wantEnded(t, b, 5000, "/t")
	out := b.Do(&Request{Op: OpReap, Path: "/t"}, b.Zxid()+1, 5000)
	if out.Err != 0 || len(out.Events) != 2 || b.get("/t") != nil {
		t.Errorf("reaping: got %v and %d events, want ok and 2", out.Err, len(out.Events))
	}
	if txn := b.Txns()[len(b.Txns())-1]; len(txn.Changes) != 1 || txn.Changes[0].Kind != ChangeDelete || txn.Session != 0 {
		t.Errorf("got %+v, want the deletion of a node by session 0", txn)
	}
	wantEnded(t, b, 1<<50)
	b.at(1, Request{Op: jute.OpCreateTTL, Path: "/t", Flags: 6, TTL: MaxTTL})
	wantEnded(t, b, 1+MaxTTL)
	wantEnded(t, b, 2+MaxTTL, "/t0000000001")
}

// A time to live that a client must not ask for.
func TestTimeToLiveRefused(t *testing.T) {
	b := begun()
	for _, tt := range []struct {
		op    jute.OpCode
		flags int32
		ttl   int64
		on    bool
		want  jute.ErrCode
	}{
		{jute.OpCreateTTL, 5, 100, false, jute.ErrUnimplemented},
		{jute.OpCreateTTL, 6, -1, false, jute.ErrUnimplemented},
		{jute.OpCreate, 5, 0, false, jute.ErrUnimplemented},
		{jute.OpCreate, 6, 0, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 5, 0, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 5, -1, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 5, MaxTTL + 1, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 0, -1, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 0, 100, false, jute.ErrBadArguments},
		{jute.OpCreateTTL, 1, 100, true, jute.ErrBadArguments},
		{jute.OpCreateTTL, 7, 100, true, jute.ErrBadArguments},
		{jute.OpCreateContainer, 5, 0, true, jute.ErrBadArguments},
	} {
		b.Rules.ExtendedTypes = tt.on
		if out := b.at(1, Request{Op: tt.op, Path: "/t", Flags: tt.flags, TTL: tt.ttl}); out.Err != tt.want {
			t.Errorf("%+v: got %v", tt, out.Err)
		}
	}
}

// No owner is taken for another.
func TestOwners(t *testing.T) {
	for _, tt := range []struct {
		owner           int64
		session, mortal bool
	}{
		{0, false, false},
		{1, true, false},
		{0x0100_0000_0000_0000, true, false},
		{0x7fff_ffff_ffff_ffff, true, false},
		{OwnerContainer, false, true},
		{OwnerContainer + 1, true, false},
		{OwnerTTL(1), false, true},
		{OwnerTTL(MaxTTL), false, true},
		{-1 << 57, true, false},
	} {
		if s, m := isSession(tt.owner), isMortal(tt.owner); s != tt.session || m != tt.mortal {
			t.Errorf("%x: got session %t, mortal %t, want %t, %t", uint64(tt.owner), s, m, tt.session, tt.mortal)
		}
	}
}
