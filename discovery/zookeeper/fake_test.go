// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// A fake is a registry in memory that works inside a synctest bubble: one
// directory, /rpc, and its overrides, with a persistent watch each. Its session is
// what the test says.
type fake struct {
	mu       sync.Mutex // guards what follows
	session  zk.Session
	changed  chan struct{}
	zxid     int64
	nodes    map[string]fakeNode
	watch    *fakeWatch
	gets     int
	lists    int
	creates  []time.Time
	refuse   error         // answers to lists
	holdGets chan struct{} // the answers to reads wait until it is closed
	holdOnly string        // the node whose reads wait; empty: all
	getError error         // answers to reads of nodes
	noCreate error         // answers to creates
	lateNode bool          // the answer to the next create is lost, and the node is there after a sync
	late     func()        // makes it
	holdList chan struct{} // likewise for lists
	holdEnds chan struct{} // likewise for the ends of watches
	orders   fakeOrders
	life     int64 // the transaction that created the directory
}

type fakeNode struct {
	data []byte
	stat zk.Stat
}

// fakeOrders are the overrides of a fake.
type fakeOrders struct {
	data    []byte // nil: there is no document
	version int32
	watch   *fakeWatch
	reads   int
	refuse  error         // answers to reads
	noWatch error         // answers to AddWatch
	hold    chan struct{} // the answers to reads wait until it is closed
	lose    bool          // the answer to the next write is lost
}

type fakeWatch struct {
	fake   *fake
	events chan zk.Event
}

func (w *fakeWatch) Events() <-chan zk.Event { return w.events }

func (w *fakeWatch) Close() error {
	w.fake.mu.Lock()
	hold := w.fake.holdEnds
	w.fake.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return nil
}

func newFake() *fake {
	return &fake{
		session: zk.Session{State: zk.StateConnecting, Since: time.Now()},
		changed: make(chan struct{}), nodes: map[string]fakeNode{},
	}
}

// set changes the session.
func (f *fake) set(change func(*zk.Session)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(change)
}

func (f *fake) setLocked(change func(*zk.Session)) {
	change(&f.session)
	f.session.Since = time.Now()
	close(f.changed)
	f.changed = make(chan struct{})
}

// connect is one step: nobody sees a connection whose watches are not armed, or
// arms one that is armed again on top.
func (f *fake) connect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(func(s *zk.Session) {
		*s = zk.Session{State: zk.StateConnected, ID: 1, Timeout: 10 * time.Second, Generation: 1}
	})
	if f.watch != nil {
		f.watch.events <- zk.Event{Type: zk.Rearmed, Path: "/rpc"}
	}
	f.tellOrders(zk.Rearmed)
}

func (f *fake) disconnect() {
	f.set(func(s *zk.Session) { s.State, s.LastErr = zk.StateConnecting, fmt.Errorf("cut at %v", time.Now()) })
}

// add creates a node and tells of it.
func (f *fake) add(name, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addLocked(name, []byte(data), 0)
}

func (f *fake) addLocked(name string, data []byte, owner int64) {
	f.zxid++
	f.nodes[name] = fakeNode{data, zk.Stat{Czxid: f.zxid, Mzxid: f.zxid, EphemeralOwner: owner}}
	f.tell(zk.NodeCreated, name)
}

// quietly changes the directory without telling, as the given session.
func (f *fake) quietly(name, data string, owner int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.zxid++
	f.nodes[name] = fakeNode{[]byte(data), zk.Stat{Czxid: f.zxid, Mzxid: f.zxid, EphemeralOwner: owner}}
}

func (f *fake) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removeLocked(name)
}

func (f *fake) removeLocked(name string) {
	delete(f.nodes, name)
	f.tell(zk.NodeDeleted, name)
}

// addAndRemove creates a node and deletes it before anybody can read it.
func (f *fake) addAndRemove(name, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addLocked(name, []byte(data), 0)
	f.removeLocked(name)
}

// tell sends an event. f.mu is held.
func (f *fake) tell(kind zk.EventType, name string) {
	if f.watch != nil {
		f.watch.events <- zk.Event{Type: kind, Path: "/rpc/" + name}
	}
}

func (f *fake) Session() zk.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session
}

func (f *fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// online waits for a connection.
func (f *fake) online(ctx context.Context) error {
	for {
		changed := f.Changed()
		if f.Session().State == zk.StateConnected {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) Get(ctx context.Context, path string) ([]byte, zk.Stat, error) {
	if err := f.online(ctx); err != nil {
		return nil, zk.Stat{}, err
	}
	if path == ordersNode {
		return f.getOrders(ctx)
	}
	f.mu.Lock()
	f.gets++
	n, ok := f.nodes[strings.TrimPrefix(path, "/rpc/")]
	hold, refuse := f.holdGets, f.getError
	if f.holdOnly != "" && path != "/rpc/"+f.holdOnly {
		hold = nil
	}
	f.mu.Unlock()
	if refuse != nil {
		return nil, zk.Stat{}, &zk.Error{Op: "getData", Path: path, Sent: true, Err: refuse}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, zk.Stat{}, ctx.Err()
		}
	}
	if !ok {
		return nil, zk.Stat{}, &zk.Error{Op: "getData", Path: path, Sent: true, Err: zk.ErrNoNode}
	}
	return n.data, n.stat, nil
}

func (f *fake) Children(ctx context.Context, path string) ([]string, zk.Stat, error) {
	if err := f.online(ctx); err != nil {
		return nil, zk.Stat{}, err
	}
	names, stat, hold, err := f.list(path)
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, zk.Stat{}, ctx.Err()
		}
	}
	return names, stat, err
}

func (f *fake) list(path string) (names []string, stat zk.Stat, hold chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	if f.refuse != nil {
		return nil, zk.Stat{}, nil, &zk.Error{Op: "getChildren2", Path: path, Sent: true, Err: f.refuse}
	}
	for name := range f.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, zk.Stat{Czxid: f.life, Pzxid: f.zxid}, f.holdList, nil
}

// hold makes the answers to come wait, and returns what lets them go.
func (f *fake) hold(which *chan struct{}) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := make(chan struct{})
	*which = held
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		*which = nil
		close(held)
	}
}

func (f *fake) ChildrenW(context.Context, string) ([]string, zk.Stat, <-chan zk.Event, error) {
	panic("not used with persistent watches")
}

func (f *fake) ExistsW(context.Context, string) (zk.Stat, bool, <-chan zk.Event, error) {
	panic("not used with persistent watches")
}

// Create is used for the overrides alone: the directory is there.
func (f *fake) Create(_ context.Context, path string, data []byte, _ zk.CreateMode, _ []zk.ACL) (string, error) {
	if path != ordersNode {
		return path, nil
	}
	_, err := f.write("create", data, zk.ErrNodeExists, func() bool { return f.orders.data == nil })
	return path, err
}

func (f *fake) Set(_ context.Context, _ string, data []byte, version int32) (zk.Stat, error) {
	return f.write("setData", data, zk.ErrBadVersion, func() bool { return f.orders.data != nil && f.orders.version == version })
}

func (f *fake) Sync(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.late != nil {
		f.late()
		f.late = nil
	}
	return nil
}

func (f *fake) Create2(ctx context.Context, _ string, data []byte, _ zk.CreateMode, _ []zk.ACL) (string, zk.Stat, error) {
	if err := f.online(ctx); err != nil {
		return "", zk.Stat{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.creates = append(f.creates, time.Now())
	if f.noCreate != nil {
		return "", zk.Stat{}, &zk.Error{Op: "create2", Path: "/rpc", Sent: true, Err: f.noCreate}
	}
	name := fmt.Sprintf("server%010d", f.zxid)
	if f.lateNode {
		f.lateNode, f.late = false, func() { f.addLocked(name, data, f.session.ID) }
		return "", zk.Stat{}, &zk.Error{Op: "create2", Path: "/rpc", Sent: true, Err: zk.ErrConnectionLoss}
	}
	f.addLocked(name, data, f.session.ID)
	return "/rpc/" + name, f.nodes[name].stat, nil
}

func (f *fake) Delete(_ context.Context, path string, _ int32) error {
	f.remove(strings.TrimPrefix(path, "/rpc/"))
	return nil
}

func (f *fake) AddWatch(ctx context.Context, path string, _ zk.WatchMode) (watch, error) {
	if err := f.online(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if path == ordersNode {
		if f.orders.noWatch != nil {
			return nil, &zk.Error{Op: "addWatch", Path: path, Sent: true, Err: f.orders.noWatch}
		}
		f.orders.watch = &fakeWatch{f, make(chan zk.Event, 1<<10)}
		return f.orders.watch, nil
	}
	f.watch = &fakeWatch{f, make(chan zk.Event, 1<<16)}
	return f.watch, nil
}

func (f *fake) Close() error { return nil }

// counts returns how many lists and reads there were since it was last called.
func (f *fake) counts() (lists, gets int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lists, gets = f.lists, f.gets
	f.lists, f.gets = 0, 0
	return lists, gets
}
