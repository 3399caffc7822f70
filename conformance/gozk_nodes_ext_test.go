// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func goNodes(t *testing.T, s server, base string) {
	c := dialGo(t, s.Addr(), longSession)
	path := c.add(t, base+"/n", "one", 0)
	_, err := c.Create(path, nil, 0, open)
	check(t, "second create", err, zk.ErrNodeExists)
	_, err = c.Create(base+"/missing/n", nil, 0, open)
	check(t, "create below a missing node", err, zk.ErrNoNode)

	data, stat, err := c.Get(path)
	check(t, "get", err, nil)
	if string(data) != "one" || stat.Version != 0 || stat.DataLength != 3 || stat.Czxid != stat.Mzxid || stat.EphemeralOwner != 0 {
		t.Errorf("got %q and %+v, want the data and stat of a new node", data, *stat)
	}
	changed, err := c.Set(path, []byte("two"), 0)
	check(t, "set", err, nil)
	if changed.Version != 1 || changed.Czxid != stat.Czxid || changed.Mzxid <= stat.Mzxid {
		t.Errorf("got %+v after %+v, want the next version", *changed, *stat)
	}
	_, err = c.Set(path, nil, 0)
	check(t, "set with an old version", err, zk.ErrBadVersion)
	_, err = c.Set(base+"/missing", nil, -1)
	check(t, "set of a missing node", err, zk.ErrNoNode)
	check(t, "delete with an old version", c.Delete(path, 0), zk.ErrBadVersion)

	c.add(t, path+"/child", "", 0)
	check(t, "delete of a parent", c.Delete(path, -1), zk.ErrNotEmpty)
	children, parent, err := c.Children(path)
	check(t, "children", err, nil)
	if !slices.Equal(children, []string{"child"}) || parent.NumChildren != 1 || parent.Cversion != 1 {
		t.Errorf("got %q and %+v, want one child", children, *parent)
	}
	check(t, "delete", c.Delete(path+"/child", 0), nil)
	check(t, "delete", c.Delete(path, 1), nil)
	check(t, "delete of a missing node", c.Delete(path, -1), zk.ErrNoNode)
	if ok, _, err := c.Exists(path); ok || err != nil {
		t.Errorf("exists after delete: got %t, %v", ok, err)
	}
	_, _, err = c.Get(path)
	check(t, "get of a missing node", err, zk.ErrNoNode)
	if got, err := c.Sync(base); got != base || err != nil {
		t.Errorf("sync: got %q, %v, want %q", got, err, base)
	}
}

func goEphemerals(t *testing.T, s server, base string) {
	c, other := dialGo(t, s.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	for i := range 3 {
		path := c.add(t, base+"/s-", "", zk.FlagEphemeralSequential)
		if want := fmt.Sprintf("%s/s-%010d", base, i); path != want {
			t.Errorf("got %s, want %s", path, want)
		}
		_, stat, err := other.Get(path)
		check(t, "get", err, nil)
		if stat.EphemeralOwner != c.SessionID() {
			t.Errorf("%s: owner 0x%x, want the session 0x%x", path, stat.EphemeralOwner, c.SessionID())
		}
	}
	_, err := c.Create(base+"/s-0000000000/child", nil, 0, open)
	check(t, "create below an ephemeral node", err, zk.ErrNoChildrenForEphemerals)
	c.Close()
	for i := range 3 {
		other.gone(t, fmt.Sprintf("%s/s-%010d", base, i))
	}
}

func goWatches(t *testing.T, s server, base string) {
	c, other := dialGo(t, s.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	node := base + "/n"
	_, _, created, err := c.ExistsW(node)
	check(t, "exists", err, nil)
	_, _, children, err := c.ChildrenW(base)
	check(t, "children", err, nil)
	other.add(t, node, "", 0)
	wantEvent(t, created, zk.EventNodeCreated, node)
	wantEvent(t, children, zk.EventNodeChildrenChanged, base)

	_, _, data, err := c.GetW(node)
	check(t, "get", err, nil)
	_, _, own, err := c.ChildrenW(node)
	check(t, "children", err, nil)
	_, err = other.Set(node, []byte("x"), -1)
	check(t, "set", err, nil)
	wantEvent(t, data, zk.EventNodeDataChanged, node)
	wantSilence(t, node, own)
	check(t, "delete", other.Delete(node, -1), nil)
	wantEvent(t, own, zk.EventNodeDeleted, node)
}

func goContainers(t *testing.T, s server, base string) {
	c := dialGo(t, s.Addr(), longSession)
	path, err := c.CreateContainer(base+"/c", []byte("x"), zk.FlagContainer, open)
	check(t, "create container", err, nil)
	_, stat, err := c.Get(path)
	check(t, "get", err, nil)
	if path != base+"/c" || stat.EphemeralOwner != 0 && stat.EphemeralOwner != -1<<63 {
		t.Errorf("got %s and %+v, want a container", path, *stat)
	}
	c.add(t, path+"/child", "", 0)

	// Nodes with a time to live are off unless a server's configuration says
	// otherwise.
	_, err = c.CreateTTL(base+"/t", nil, zk.FlagTTL, open, time.Minute)
	if want := "unknown error: -6"; err == nil || err.Error() != want {
		t.Errorf("create with TTL: got %v, want %s", err, want)
	}
	if ok, _, err := c.Exists(base + "/t"); ok || err != nil {
		t.Errorf("exists after a refused create: got %t, %v", ok, err)
	}
}
