// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"
)

func goACL(t *testing.T, s server, base string) {
	p := newProxy(t, s.Addr())
	owner, other := dialGo(t, p.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	check(t, "add auth", owner.AddAuth("digest", []byte("bob:pw")), nil)
	mine := zk.DigestACL(zk.PermAll, "bob", "pw")
	path, err := owner.Create(base+"/secret", []byte("s"), 0, mine)
	check(t, "create", err, nil)

	_, _, err = other.Get(path)
	check(t, "get by a stranger", err, zk.ErrNoAuth)
	_, err = other.Set(path, nil, -1)
	check(t, "set by a stranger", err, zk.ErrNoAuth)
	_, err = other.Create(path+"/n", nil, 0, open)
	check(t, "create by a stranger", err, zk.ErrNoAuth)
	_, err = other.SetACL(path, open, -1)
	check(t, "set ACL by a stranger", err, zk.ErrNoAuth)

	owner.add(t, path+"/n", "", 0)
	check(t, "delete by a stranger", other.Delete(path+"/n", -1), zk.ErrNoAuth)
	acl, stat, err := owner.GetACL(path)
	check(t, "get ACL", err, nil)
	if !slices.Equal(acl, mine) || stat.Aversion != 0 {
		t.Errorf("got ACL %v, version %d, want %v, 0", acl, stat.Aversion, mine)
	}

	// The identity is given again after a reconnect, before anything else.
	p.Cut()
	owner.await(t, zk.StateDisconnected)
	owner.await(t, zk.StateHasSession)
	_, _, err = owner.Get(path)
	check(t, "get by the owner after a reconnect", err, nil)

	stat, err = owner.SetACL(path, append(mine, zk.WorldACL(zk.PermRead)...), 0)
	check(t, "set ACL", err, nil)
	if stat.Aversion != 1 || stat.Version != 0 {
		t.Errorf("got %+v after set ACL, want ACL version 1", *stat)
	}
	data, _, err := other.Get(path)
	check(t, "get of what all may read", err, nil)
	if string(data) != "s" {
		t.Errorf("got %q, want s", data)
	}
	_, err = owner.Create(base+"/x", nil, 0, []zk.ACL{})
	check(t, "create with an empty ACL", err, zk.ErrInvalidACL)
}
