// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
)

func testOneShotWatches(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	a := dir + "/a"
	_, there, created, err := c.ExistsW(ctx, a)
	if err != nil || there {
		t.Fatalf("ExistsW = %v, %v, want false", there, err)
	}
	_, _, children, err := c.ChildrenW(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	must[string](t)(other.Create(ctx, a, nil, zk.ModePersistent, nil))
	only(t, created, zk.Event{Type: zk.NodeCreated, Path: a})
	only(t, children, zk.Event{Type: zk.NodeChildrenChanged, Path: dir})

	_, _, changed, err := c.GetW(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	_, there, changed2, err := c.ExistsW(ctx, a)
	if err != nil || !there {
		t.Fatalf("ExistsW = %v, %v, want true", there, err)
	}
	must[zk.Stat](t)(other.Set(ctx, a, nil, zk.AnyVersion))
	only(t, changed, zk.Event{Type: zk.NodeDataChanged, Path: a})
	only(t, changed2, zk.Event{Type: zk.NodeDataChanged, Path: a})

	_, _, deleted, err := c.GetW(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	_, _, deleted2, err := c.ChildrenW(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(ctx, a, zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	only(t, deleted, zk.Event{Type: zk.NodeDeleted, Path: a})
	only(t, deleted2, zk.Event{Type: zk.NodeDeleted, Path: a})

	if _, _, events, err := c.GetW(ctx, a); events != nil || !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("GetW of a missing node = %v, %v, want no channel and ErrNoNode", events, err)
	}
	if _, _, events, err := c.ChildrenW(ctx, a); events != nil || !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("ChildrenW of a missing node = %v, %v, want no channel and ErrNoNode", events, err)
	}
}

// One-shot watches fire after a reconnection for what happened in between, and
// those for which nothing happened are armed again.
func testOneShotCut(t *testing.T, s server) {
	c, l := connectLink(t, s, zk.Options{})
	other, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	watch := func(name string) (data, exist, child <-chan zk.Event) {
		path := dir + "/" + name
		must[string](t)(other.Create(ctx, path, nil, zk.ModePersistent, nil))
		_, _, data, err := c.GetW(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		_, _, child, err = c.ChildrenW(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, exist, err = c.ExistsW(ctx, path+"/new"); err != nil {
			t.Fatal(err)
		}
		return data, exist, child
	}
	change := func(name string) {
		path := dir + "/" + name
		must[zk.Stat](t)(other.Set(ctx, path, nil, zk.AnyVersion))
		must[string](t)(other.Create(ctx, path+"/new", nil, zk.ModePersistent, nil))
	}
	check := func(name string, data, exist, child <-chan zk.Event) {
		t.Helper()
		path := dir + "/" + name
		only(t, data, zk.Event{Type: zk.NodeDataChanged, Path: path})
		only(t, exist, zk.Event{Type: zk.NodeCreated, Path: path + "/new"})
		only(t, child, zk.Event{Type: zk.NodeChildrenChanged, Path: path})
	}
	data1, exist1, child1 := watch("during")
	data2, exist2, child2 := watch("after")
	l.cut(true)
	await(t, c, "down", isDown)
	change("during")
	l.up()
	check("during", data1, exist1, child1)
	change("after")
	check("after", data2, exist2, child2)
}

// A reader never holds data newer than the events it can see, its own changes
// included.
func testEventBeforeReply(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	for i := range 50 {
		writer := []*zk.Client{c, other}[i%2]
		_, stat, events, err := c.GetW(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := writer.Set(ctx, dir, nil, zk.AnyVersion)
			written <- err
		}()
		for {
			_, now, err := c.Get(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			if now.Version == stat.Version {
				continue
			}
			if len(events) != 1 {
				t.Fatalf("round %d: version %d is read, its event is not there", i, now.Version)
			}
			break
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
}

func testPersistent(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	a := base(t, other) + "/a"
	w := must[*zk.Watch](t)(c.AddWatch(ctx, a, zk.Persistent))
	for range 2 {
		must[string](t)(other.Create(ctx, a, nil, zk.ModePersistent, nil))
		must[zk.Stat](t)(other.Set(ctx, a, nil, zk.AnyVersion))
		must[string](t)(other.Create(ctx, a+"/b", nil, zk.ModePersistent, nil))
		for _, path := range []string{a + "/b", a} {
			if err := other.Delete(ctx, path, zk.AnyVersion); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []zk.EventType{zk.NodeCreated, zk.NodeDataChanged, zk.NodeChildrenChanged, zk.NodeChildrenChanged, zk.NodeDeleted} {
			if got := next(t, w.Events()); got.Type != want || got.Path != a {
				t.Errorf("event %+v, want %v of %s", got, want, a)
			}
		}
	}
}

// touch makes one change of each kind below dir, and expect waits for the
// events that a recursive watch on dir has of it.
func touch(t *testing.T, c *zk.Client, dir, name string) {
	t.Helper()
	ctx, path := testContext(t), dir+"/"+name
	must[string](t)(c.Create(ctx, path, nil, zk.ModePersistent, nil))
	must[zk.Stat](t)(c.Set(ctx, path, nil, zk.AnyVersion))
	if err := c.Delete(ctx, path, zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, w *zk.Watch, dir, name string) {
	t.Helper()
	for _, want := range []zk.EventType{zk.NodeCreated, zk.NodeDataChanged, zk.NodeDeleted} {
		if got := next(t, w.Events()); got.Type != want || got.Path != dir+"/"+name {
			t.Errorf("event %+v, want %v of %s", got, want, dir+"/"+name)
		}
	}
}

func testRecursive(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	w := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	_, _, children, err := c.ChildrenW(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	touch(t, other, dir, "a")
	expect(t, w, dir, "a")
	only(t, children, zk.Event{Type: zk.NodeChildrenChanged, Path: dir})
	must[string](t)(other.Create(ctx, dir+"/b", nil, zk.ModePersistent, nil))
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.NodeCreated, Path: dir + "/b"}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	touch(t, other, dir+"/b", "c")
	expect(t, w, dir+"/b", "c")
}

func testRecursiveCut(t *testing.T, s server) {
	c, l := connectLink(t, s, zk.Options{})
	other, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	w := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	w2 := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	for i := range 3 {
		l.cut(true)
		await(t, c, "down", isDown)
		touch(t, other, dir, "missed")
		l.up()
		for _, w := range []*zk.Watch{w, w2} {
			if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: dir}); got != want {
				t.Errorf("round %d: event %+v, want %+v", i, got, want)
			}
		}
		touch(t, other, dir, "seen")
		expect(t, w, dir, "seen")
		expect(t, w2, dir, "seen")
	}
	if got := c.Session(); got.Generation != 1 {
		t.Errorf("generation %d after cuts, want 1", got.Generation)
	}
}

// serverWatches returns what Apache ZooKeeper says of its watches on a path.
func serverWatches(s server, path string) (count int, known bool) {
	a, ok := s.(apache)
	if !ok {
		return 0, false
	}
	for line := range strings.Lines(a.Command("wchc")) {
		if strings.TrimSpace(line) == path {
			count++
		}
	}
	return count, true
}

func testWatchClose(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	first := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	second := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if ev, ok := <-first.Events(); ok {
		t.Errorf("event %+v after Close", ev)
	}
	touch(t, other, dir, "a")
	expect(t, second, dir, "a")
	if n, known := serverWatches(s, dir); known && n != 1 {
		t.Errorf("the server holds %d watches, want 1", n)
	}
	for range 2 { // the second time does nothing
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, known := serverWatches(s, dir); known && n != 0 {
		t.Errorf("the server holds %d watches after Close, want none", n)
	}
}

// removeWatches takes everything off a path: what others in this client have
// there is armed again.
func testWatchCloseBeside(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	w := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	_, _, children, err := c.ChildrenW(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	must[string](t)(other.Create(ctx, dir+"/a", nil, zk.ModePersistent, nil))
	only(t, children, zk.Event{Type: zk.NodeChildrenChanged, Path: dir})
}

// Watches that come and go on a path from many goroutines leave one that stays
// armed, and nothing else on the server.
func testWatchChurn(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	stays := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				w, err := c.AddWatch(ctx, dir, []zk.WatchMode{zk.Persistent, zk.PersistentRecursive}[(g+i)%2])
				if err != nil {
					t.Error(err)
					return
				}
				if w.Path() != dir {
					t.Errorf("Path() = %q, want %q", w.Path(), dir)
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := c.Sync(ctx, "/"); err != nil { // the last removal's re-arming is behind this
		t.Fatal(err)
	}
	touch(t, other, dir, "a")
	for ev := next(t, stays.Events()); ev.Type != zk.NodeDeleted; ev = next(t, stays.Events()) {
		if ev.Type == zk.Lost {
			t.Fatal("the churn overflowed the queue: make it smaller")
		}
	}
	if err := stays.Close(); err != nil {
		t.Fatal(err)
	}
	if n, known := serverWatches(s, dir); known && n != 0 {
		t.Errorf("the server holds %d watches, want none", n)
	}
}

// So many watches that they do not fit one setWatches frame.
func testManyWatches(t *testing.T, s server) {
	c, l := connectLink(t, s, zk.Options{})
	other, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	long := strings.Repeat("x", 400)
	var events []<-chan zk.Event
	var watches []*zk.Watch
	path := func(i int) string { return fmt.Sprintf("%s/%s%d", dir, long, i) }
	for i := range 700 {
		if i%2 == 0 {
			_, _, ch, err := c.ExistsW(ctx, path(i))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, ch)
		} else {
			watches = append(watches, must[*zk.Watch](t)(c.AddWatch(ctx, path(i), zk.Persistent)))
		}
	}
	l.cut(true)
	await(t, c, "down", isDown)
	l.up()
	for i, w := range watches {
		if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: path(2*i + 1)}); got != want {
			t.Fatalf("event %+v, want %+v", got, want)
		}
	}
	for i := range 700 {
		must[string](t)(other.Create(ctx, path(i), nil, zk.ModePersistent, nil))
	}
	for i := range events {
		only(t, events[i], zk.Event{Type: zk.NodeCreated, Path: path(2 * i)})
		if got, want := next(t, watches[i].Events()), (zk.Event{Type: zk.NodeCreated, Path: path(2*i + 1)}); got != want {
			t.Fatalf("event %+v, want %+v", got, want)
		}
	}
}
