// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"testing"

	"github.com/go-zookeeper/zk"
)

func goMulti(t *testing.T, s server, base string) {
	c := dialGo(t, s.Addr(), longSession)
	a, b := base+"/a", base+"/a/b"
	got, err := c.Multi(
		&zk.CreateRequest{Path: a, Data: []byte("1"), Acl: open},
		&zk.CreateRequest{Path: b, Acl: open, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: a, Data: []byte("22"), Version: 0},
		&zk.CheckVersionRequest{Path: a, Version: 1},
		&zk.DeleteRequest{Path: b + "0000000000", Version: -1},
	)
	check(t, "multi", err, nil)
	if len(got) != 5 {
		t.Fatalf("got %d results, want 5", len(got))
	}
	for i, r := range got {
		check(t, "a result", r.Error, nil)
		if want := []string{a, b + "0000000000", "", "", ""}[i]; r.String != want {
			t.Errorf("result %d is of %q, want %q", i, r.String, want)
		}
	}
	if stat := got[2].Stat; stat == nil || stat.Version != 1 || stat.DataLength != 2 || stat.Czxid != stat.Mzxid {
		t.Errorf("got %+v of the set, want version 1 in the transaction of the create", stat)
	}
	data, stat, err := c.Get(a)
	check(t, "get", err, nil)
	if string(data) != "22" || stat.NumChildren != 0 || stat.Cversion != 2 {
		t.Errorf("got %q and %+v, want what the transaction left", data, *stat)
	}
}

func goFailedMulti(t *testing.T, s server, base string) {
	c, other := dialGo(t, s.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	_, before, err := c.Get(base)
	check(t, "get", err, nil)
	_, _, events, err := other.ChildrenW(base)
	check(t, "children", err, nil)
	got, _ := c.Multi(
		&zk.CreateRequest{Path: base + "/a", Acl: open},
		&zk.CheckVersionRequest{Path: base + "/a", Version: 7},
		&zk.CreateRequest{Path: base + "/b", Acl: open},
	)
	if len(got) != 3 {
		t.Fatalf("got %d results, want 3", len(got))
	}
	check(t, "the check", got[1].Error, zk.ErrBadVersion)
	if want := "unknown error: -2"; got[2].Error == nil || got[2].Error.Error() != want {
		t.Errorf("after the check: got error %v, want %s", got[2].Error, want)
	}
	_, after, err := c.Get(base)
	check(t, "get", err, nil)
	if *after != *before {
		t.Errorf("the parent is %+v after a failed transaction, want %+v", *after, *before)
	}
	_, err = other.Sync(base)
	check(t, "sync", err, nil)
	wantSilence(t, base, events)
}
