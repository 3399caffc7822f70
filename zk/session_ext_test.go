// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// shortest is a session timeout that servers raise to the shortest they grant.
const shortest = time.Millisecond

// After an expiry one-shot watches end, persistent ones are armed again, the
// ephemeral node is gone and a request made meanwhile is sent in the new session.
func testExpiry(t *testing.T, s server) {
	c, l := connectLink(t, s, zk.Options{SessionTimeout: shortest})
	other, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, other)
	w := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	_, _, data, err := c.GetW(ctx, "/") // not dir: ZooKeeper 3.8.0 would forget the other watch
	if err != nil {
		t.Fatal(err)
	}
	node := must[string](t)(c.Create(ctx, dir+"/e", nil, zk.ModeEphemeral, nil))
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.NodeCreated, Path: node}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	before := c.Session()
	_, _, gone, err := other.ExistsW(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	l.cut(true)
	only(t, gone, zk.Event{Type: zk.NodeDeleted, Path: node})
	if got := c.Session(); got.State != zk.StateConnecting || got.ID != before.ID {
		t.Errorf("Session while out of reach = %+v, want connecting with id %#x", got, before.ID)
	}
	created := make(chan error, 1)
	go func() {
		_, err := c.Create(ctx, node, nil, zk.ModeEphemeral, nil)
		created <- err
	}()
	l.up()
	after := await(t, c, "new", func(s zk.Session) bool { return isConnected(s) && s.Generation == 2 })
	if after.ID == before.ID || after.LastErr != nil {
		t.Errorf("Session = %+v, want an id other than %#x", after, before.ID)
	}
	if ev := next(t, data); !errors.Is(ev.Err, zk.ErrSessionExpired) || ev.Path != "/" {
		t.Errorf("event %+v, want ErrSessionExpired", ev)
	}
	if err := <-created; err != nil {
		t.Errorf("Create across the expiry: %v", err)
	}
	if stat, _, err := other.Exists(ctx, node); err != nil || stat.EphemeralOwner != after.ID {
		t.Errorf("owner %#x, %v, want %#x", stat.EphemeralOwner, err, after.ID)
	}
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: dir}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.NodeCreated, Path: node}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
}

// A session, its ephemeral nodes and its watches survive a crash of the server.
func testRestart(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	node := must[string](t)(c.Create(ctx, dir+"/e", nil, zk.ModeEphemeral, nil))
	w := must[*zk.Watch](t)(c.AddWatch(ctx, dir, zk.PersistentRecursive))
	_, _, data, err := c.GetW(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Session()
	s.Stop()
	await(t, c, "down", isDown)
	s.Restart()
	after := await(t, c, "back", isConnected)
	if after.ID != before.ID || after.Generation != 1 {
		t.Errorf("Session = %+v, want that before %+v", after, before)
	}
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: dir}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	must[zk.Stat](t)(c.Set(ctx, node, nil, zk.AnyVersion))
	only(t, data, zk.Event{Type: zk.NodeDataChanged, Path: node})
}

// A server that has lost its data closes our handshakes without a word, or says
// that the session has expired. Either way a new session comes about.
func testWiped(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{SessionTimeout: shortest}), testContext(t)
	w := must[*zk.Watch](t)(c.AddWatch(ctx, "/wiped", zk.PersistentRecursive))
	_, _, data, err := c.GetW(ctx, "/")
	if err != nil {
		t.Fatal(err)
	}
	must[string](t)(c.Create(ctx, "/wiped", nil, zk.ModePersistent, nil))
	next(t, w.Events())
	s.Stop()
	await(t, c, "down", isDown)
	s.RestartEmpty()
	await(t, c, "new", func(s zk.Session) bool { return isConnected(s) && s.Generation == 2 })
	if ev := next(t, data); !errors.Is(ev.Err, zk.ErrSessionExpired) {
		t.Errorf("event %+v, want ErrSessionExpired", ev)
	}
	if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: "/wiped"}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	if _, there, err := c.Exists(ctx, "/wiped"); there || err != nil {
		t.Errorf("Exists = %v, %v, want false", there, err)
	}
	must[string](t)(c.Create(ctx, "/wiped", nil, zk.ModePersistent, nil))
	got := next(t, w.Events())
	for got.Type == zk.Rearmed { // so short a session loses its connection on a busy machine
		got = next(t, w.Events())
	}
	if want := (zk.Event{Type: zk.NodeCreated, Path: "/wiped"}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
}

func testPipelining(t *testing.T, s server) {
	c, ctx := connect(t, s, zk.Options{}), testContext(t)
	dir := base(t, c)
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 25 {
				path := fmt.Sprintf("%s/%d-%d", dir, g, i)
				want := []byte(path)
				if _, err := c.Create(ctx, path, want, zk.ModePersistent, nil); err != nil {
					t.Error(err)
					return
				}
				if got, _, err := c.Get(ctx, path); err != nil || !slices.Equal(got, want) {
					t.Errorf("Get = %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if names, _, err := c.Children(ctx, dir); err != nil || len(names) != 64*25 {
		t.Errorf("%d children, %v, want %d", len(names), err, 64*25)
	}
}

// Whatever is acknowledged is there, what failed unsent is not, and no call
// hangs, while the connection is cut again and again.
func testPipeliningCuts(t *testing.T, s server) {
	c, l := connectLink(t, s, zk.Options{})
	ctx := testContext(t)
	dir := base(t, c)
	done, cancel := context.WithCancel(ctx)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked []string
		never []string
		maybe int
	)
	for g := range 16 {
		wg.Go(func() {
			for i := 0; done.Err() == nil; i++ {
				name := fmt.Sprintf("%d-%d", g, i)
				_, err := c.Create(done, dir+"/"+name, nil, zk.ModePersistent, nil)
				var e *zk.Error
				mu.Lock()
				switch {
				case err == nil:
					acked = append(acked, name)
				case !errors.As(err, &e):
					t.Errorf("Create: %v, want a *zk.Error", err)
				case !e.Sent:
					never = append(never, name)
				case errors.Is(err, zk.ErrConnectionLoss), errors.Is(err, context.Canceled):
					maybe++
				default:
					t.Errorf("Create: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	for range 20 {
		await(t, c, "connected", isConnected)
		if _, _, err := c.Get(ctx, dir); err != nil && !errors.Is(err, zk.ErrConnectionLoss) {
			t.Error(err)
		}
		l.cut(false)
	}
	cancel()
	wg.Wait()
	names, _, err := c.Children(ctx, dir)
	if errors.Is(err, zk.ErrConnectionLoss) { // of the last cut
		names, _, err = c.Children(ctx, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, name := range names {
		there[name] = true
	}
	for _, name := range acked {
		if !there[name] {
			t.Errorf("%s was acknowledged and is not there", name)
		}
	}
	for _, name := range never {
		if there[name] {
			t.Errorf("%s was never sent and is there", name)
		}
	}
	t.Logf("%d acknowledged, %d uncertain, %d not sent", len(acked), maybe, len(never))
	if len(acked) == 0 || maybe == 0 {
		t.Error("the test has not tested anything")
	}
}

// Close removes the session at once, ends the watches and refuses calls.
func testCloseSession(t *testing.T, s server) {
	c, other, ctx := connect(t, s, zk.Options{}), connect(t, s, zk.Options{}), testContext(t)
	node := must[string](t)(c.Create(ctx, base(t, other)+"/e", nil, zk.ModeEphemeral, nil))
	w := must[*zk.Watch](t)(c.AddWatch(ctx, node, zk.Persistent))
	_, _, data, err := c.GetW(ctx, "/")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, there, err := other.Exists(ctx, node); there || err != nil {
		t.Errorf("the ephemeral node exists after Close: %v, %v", there, err)
	}
	if ev := next(t, data); !errors.Is(ev.Err, zk.ErrClosed) {
		t.Errorf("event %+v, want ErrClosed", ev)
	}
	if ev := next(t, w.Events()); ev.Type != zk.NodeDeleted {
		t.Errorf("event %+v, want the node's end", ev)
	}
	if ev := next(t, w.Events()); !errors.Is(ev.Err, zk.ErrClosed) {
		t.Errorf("event %+v, want ErrClosed", ev)
	}
	if ev, ok := <-w.Events(); ok {
		t.Errorf("event %+v behind the last", ev)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	_, _, err = c.Get(ctx, "/")
	wantError(t, err, zk.ErrClosed, "getData", "/", false)
	if err := c.Connected(ctx); !errors.Is(err, zk.ErrClosed) {
		t.Errorf("Connected: %v, want ErrClosed", err)
	}
	if got := c.Session(); got.State != zk.StateClosed {
		t.Errorf("Session = %+v, want closed", got)
	}
}
