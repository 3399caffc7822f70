// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
)

// wantError checks the kind of an error and what the Error around it says.
func wantError(t *testing.T, err, want error, op, path string, sent bool) {
	t.Helper()
	var e *zk.Error
	if !errors.Is(err, want) || !errors.As(err, &e) {
		t.Errorf("%s %s: error %v, want a *zk.Error of %v", op, path, err, want)
		return
	}
	if e.Op != op || e.Path != path || e.Sent != sent {
		t.Errorf("error of %q %q sent %v, want %q %q %v: %v", e.Op, e.Path, e.Sent, op, path, sent, err)
	}
}

func testNodes(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	path, stat, err := c.Create2(ctx, dir+"/a", []byte("one"), zk.ModePersistent, nil)
	if err != nil || path != dir+"/a" || stat.DataLength != 3 || stat.Czxid == 0 {
		t.Fatalf("Create2 = %q, %+v, %v", path, stat, err)
	}
	got, there, err := c.Exists(ctx, path)
	if err != nil || !there || got != stat {
		t.Errorf("Exists = %+v, %v, %v, want the Stat of Create2 %+v", got, there, err, stat)
	}
	stat, err = c.Set(ctx, path, []byte("two"), 0)
	if err != nil || stat.Version != 1 {
		t.Errorf("Set = %+v, %v, want version 1", stat, err)
	}
	data, got, err := c.Get(ctx, path)
	if err != nil || string(data) != "two" || got != stat {
		t.Errorf("Get = %q, %+v, %v, want two and the Stat of Set", data, got, err)
	}
	must[string](t)(c.Create(ctx, dir+"/b", nil, zk.ModePersistent, nil))
	names, got, err := c.Children(ctx, dir)
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"a", "b"}) || got.NumChildren != 2 {
		t.Errorf("Children = %q, %+v, %v, want a and b", names, got, err)
	}
	if err := c.Sync(ctx, dir+"/missing"); err != nil {
		t.Errorf("Sync: %v", err)
	}

	_, err = c.Create(ctx, path, nil, zk.ModePersistent, nil)
	wantError(t, err, zk.ErrNodeExists, "create", path, true)
	_, err = c.Create(ctx, dir+"/x/y", nil, zk.ModePersistent, nil)
	wantError(t, err, zk.ErrNoNode, "create", dir+"/x/y", true)
	_, err = c.Set(ctx, path, nil, 7)
	wantError(t, err, zk.ErrBadVersion, "setData", path, true)
	_, _, err = c.Get(ctx, dir+"/x")
	wantError(t, err, zk.ErrNoNode, "getData", dir+"/x", true)
	_, _, err = c.Children(ctx, dir+"/x")
	wantError(t, err, zk.ErrNoNode, "getChildren2", dir+"/x", true)
	wantError(t, c.Delete(ctx, dir, zk.AnyVersion), zk.ErrNotEmpty, "delete", dir, true)
	wantError(t, c.Delete(ctx, path, 0), zk.ErrBadVersion, "delete", path, true)
	if err := c.Delete(ctx, path, 1); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, there, err := c.Exists(ctx, path); there || err != nil {
		t.Errorf("Exists after Delete = %v, %v, want false", there, err)
	}
}

// Null data is kept apart from empty data, and the data that Get returns is the
// caller's alone.
func testData(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	big := []byte(strings.Repeat("0123456789abcdef", 60_000))
	for i, want := range [][]byte{nil, {}, {0}, []byte("text"), big} {
		path := fmt.Sprintf("%s/%d", dir, i)
		must[string](t)(c.Create(ctx, path, want, zk.ModePersistent, nil))
		first, _, err := c.Get(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, want) || (first == nil) != (want == nil) {
			t.Errorf("data %d: %d bytes, nil %v, want %d, %v", i, len(first), first == nil, len(want), want == nil)
		}
		clear(first)
		if second, _, _ := c.Get(ctx, path); !bytes.Equal(second, want) {
			t.Errorf("data %d: a second Get sees what was done to the first one's result", i)
		}
	}
	_, err := c.Create(ctx, dir+"/big", slices.Repeat(big, 2), zk.ModePersistent, nil)
	wantError(t, err, zk.ErrRequestTooLarge, "create", dir+"/big", false)
}

func testEnsurePath(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	path := base(t, c) + "/a/bc/d"
	errs := make(chan error)
	for range 4 {
		go func() { errs <- c.EnsurePath(ctx, path) }()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if _, there, err := c.Exists(ctx, path); !there || err != nil {
		t.Errorf("Exists = %v, %v, want true", there, err)
	}
	if err := c.EnsurePath(ctx, "/"); err != nil {
		t.Errorf("EnsurePath of the root: %v", err)
	}
}

func testSequentialEphemerals(t *testing.T, s server) {
	owner, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	for i := range 3 {
		got := must[string](t)(owner.Create(ctx, dir+"/server", nil, zk.ModeEphemeralSequential, nil))
		if want := fmt.Sprintf("%s/server%010d", dir, i); got != want {
			t.Errorf("Create = %q, want %q", got, want)
		}
		stat, _, err := other.Exists(ctx, got)
		if err != nil || stat.EphemeralOwner != owner.Session().ID {
			t.Errorf("owner %#x, %v, want %#x", stat.EphemeralOwner, err, owner.Session().ID)
		}
	}
	got := must[string](t)(owner.Create(ctx, dir+"/", nil, zk.ModePersistentSequential, nil))
	if want := dir + "/0000000003"; got != want {
		t.Errorf("Create = %q, want %q", got, want)
	}
	_, err := owner.Create(ctx, dir+"/server0000000000/x", nil, zk.ModePersistent, nil)
	wantError(t, err, zk.ErrNoChildrenForEphemerals, "create", dir+"/server0000000000/x", true)
}

func testMulti(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	a := dir + "/a"
	results, err := c.Multi(ctx,
		zk.CreateOp(a, []byte("x"), zk.ModePersistent, nil),
		zk.CreateOp(a+"/s", nil, zk.ModePersistentSequential, nil),
		zk.SetOp(a, []byte("yy"), 0),
		zk.CheckOp(a, 1),
		zk.DeleteOp(a+"/s0000000000", zk.AnyVersion))
	if err != nil || len(results) != 5 {
		t.Fatalf("Multi = %+v, %v, want 5 results", results, err)
	}
	if results[0].Path != a || results[1].Path != a+"/s0000000000" || results[2].Stat.Version != 1 {
		t.Errorf("Multi = %+v", results)
	}
	results, err = c.Multi(ctx,
		zk.SetOp(a, []byte("zzz"), zk.AnyVersion),
		zk.DeleteOp(dir+"/missing", zk.AnyVersion),
		zk.CheckOp(a, 1))
	wantError(t, err, zk.ErrNoNode, "multi", dir+"/missing", true)
	var me *zk.MultiError
	if !errors.As(err, &me) || me.Index != 1 || me.Op != "delete" || me.Path != dir+"/missing" {
		t.Errorf("Multi: error %v, want one that names operation 1", err)
	}
	for i, want := range []error{zk.ErrRolledBack, zk.ErrNoNode, zk.ErrRolledBack} {
		if !errors.Is(results[i].Err, want) {
			t.Errorf("result %d: error %v, want %v", i, results[i].Err, want)
		}
	}
	if data, _, err := c.Get(ctx, a); string(data) != "yy" || err != nil {
		t.Errorf("after a failed multi Get = %q, %v, want yy", data, err)
	}
	if results, err := c.Multi(ctx); len(results) != 0 || err != nil {
		t.Errorf("Multi of nothing = %+v, %v", results, err)
	}
	_, err = c.Multi(ctx, zk.CheckOp(a, 1), zk.Op{})
	wantError(t, err, zk.ErrBadArguments, "multi", "", false)
}

func testACL(t *testing.T, s server) {
	bob := connect(t, s, zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("bob:pw")}}})
	anyone, ctx := connect(t, s, zk.Options{}), testContext(t)
	path := base(t, bob) + "/secret"
	acl := []zk.ACL{{Perms: 31, Scheme: "digest", ID: "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="}}
	must[string](t)(bob.Create(ctx, path, []byte("x"), zk.ModePersistent, acl))
	got, stat, err := bob.GetACL(ctx, path)
	if err != nil || !slices.Equal(got, acl) {
		t.Errorf("GetACL = %+v, %v, want %+v", got, err, acl)
	}
	_, _, err = anyone.Get(ctx, path)
	wantError(t, err, zk.ErrNoAuth, "getData", path, true)
	stat, err = bob.SetACL(ctx, path, zk.WorldAnyone(), stat.Aversion)
	if err != nil || stat.Aversion != 1 {
		t.Errorf("SetACL = %+v, %v, want aversion 1", stat, err)
	}
	if _, _, err = anyone.Get(ctx, path); err != nil {
		t.Errorf("Get after SetACL: %v", err)
	}
	_, err = bob.SetACL(ctx, path, []zk.ACL{}, zk.AnyVersion)
	wantError(t, err, zk.ErrInvalidACL, "setACL", path, true)
}

// The identities are presented again on every connection.
func testAuth(t *testing.T, s server) {
	opts := zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("bob:pw")}, {Scheme: "digest", Data: []byte("al:pw")}}}
	c, l := connectLink(t, s, opts)
	ctx := testContext(t)
	path := base(t, c) + "/secret"
	must[string](t)(c.Create(ctx, path, nil, zk.ModePersistent, []zk.ACL{{Perms: 31, Scheme: "auth"}}))
	l.cut(true)
	await(t, c, "down", isDown)
	l.up()
	if _, _, err := c.Get(ctx, path); err != nil {
		t.Errorf("Get after a reconnection: %v", err)
	}
}

func testAuthFailed(t *testing.T, s server) {
	c, err := zk.New([]string{s.Addr()}, zk.Options{Auths: []zk.Auth{{Scheme: "nonsense", Data: []byte("x")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := testContext(t)
	if err := c.Connected(ctx); !errors.Is(err, zk.ErrAuthFailed) {
		t.Errorf("Connected: %v, want ErrAuthFailed", err)
	}
	if got := c.Session(); got.State != zk.StateAuthFailed || !strings.Contains(got.LastErr.Error(), "nonsense") {
		t.Errorf("Session = %+v, want StateAuthFailed and an error that names the scheme", got)
	}
	_, _, err = c.Get(ctx, "/")
	wantError(t, err, zk.ErrAuthFailed, "getData", "/", false)
}

func testBadArguments(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	for _, path := range []string{"", "a", "/a/", "//", "/a//b", "/a/.", "/..", "/a\x00", "/\x1f", "/\u009f", "/\xff", "/😀", "/\ue000"} {
		_, _, err := c.Get(ctx, path)
		wantError(t, err, zk.ErrBadArguments, "getData", path, false)
	}
	_, err := c.Create(ctx, "/a", nil, 0, nil)
	wantError(t, err, zk.ErrBadArguments, "create", "/a", false)
	_, err = c.AddWatch(ctx, "/a", 0)
	wantError(t, err, zk.ErrBadArguments, "addWatch", "/a", false)
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = c.Get(done, "/")
	wantError(t, err, context.Canceled, "getData", "/", false)
}
