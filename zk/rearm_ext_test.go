// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// addWatch starts an AddWatch and answers it.
func (p *peer) addWatch(c *zk.Client, path string, mode zk.WatchMode) *zk.Watch {
	p.t.Helper()
	done := make(chan *zk.Watch, 1)
	go func() {
		w, err := c.AddWatch(p.t.Context(), path, mode)
		if err != nil {
			p.t.Error(err)
		}
		done <- w
	}()
	p.answer(p.expect(jute.OpAddWatch, &jute.PathModeRequest{}), 5, &jute.ErrorResponse{})
	return <-done
}

// The watches come before any request that waited, with the last zxid, and in
// the form that servers before 3.6 know where that will do.
func TestRearmComesFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		done := make(chan (<-chan zk.Event), 1)
		go func() {
			_, _, events, err := c.GetW(t.Context(), "/data")
			if err != nil {
				t.Error(err)
			}
			done <- events
		}()
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 5, &jute.GetDataResponse{})
		data := <-done
		p.Close()
		await(t, c, "down", isDown)
		waiting := get(t.Context(), c, "/a")
		p, _ = f.session(1, time.Second)
		var old jute.SetWatchesRequest
		h := p.expect(jute.OpSetWatches, &old)
		if h.Xid != jute.XidSetWatches || old.RelativeZxid != 5 || len(old.Data) != 1 || old.Data[0] != "/data" {
			t.Errorf("setWatches %+v %+v", h, old)
		}
		p.answer(h, 6)
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 6, &jute.GetDataResponse{})
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		w := p.addWatch(c, "/deep", zk.PersistentRecursive)
		p.Close()
		p, _ = f.session(1, time.Second)
		var both jute.SetWatches2Request
		h = p.expect(jute.OpSetWatches2, &both)
		if both.RelativeZxid != 6 || len(both.Data) != 1 || len(both.PersistentRecursive) != 1 || both.PersistentRecursive[0] != "/deep" {
			t.Errorf("setWatches2 %+v", both)
		}
		p.notify(jute.EventNodeDeleted, "/data")
		synctest.Wait()
		if len(w.Events()) != 0 {
			t.Error("Rearmed came before the answer of the server")
		}
		p.answer(h, 6)
		only(t, data, zk.Event{Type: zk.NodeDeleted, Path: "/data"})
		if got, want := next(t, w.Events()), (zk.Event{Type: zk.Rearmed, Path: "/deep"}); got != want {
			t.Errorf("event %+v, want %+v", got, want)
		}
	})
}

// A connection on which the watches cannot be armed is of no use.
func TestRearmRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		w := p.addWatch(c, "/a", zk.Persistent)
		p.Close()
		p, _ = f.session(1, time.Second)
		p.refuse(p.expect(jute.OpSetWatches2, &jute.SetWatches2Request{}), jute.ErrMarshalling)
		p.gone()
		p, _ = f.session(1, time.Second)
		p.answer(p.expect(jute.OpSetWatches2, &jute.SetWatches2Request{}), 6)
		if got := next(t, w.Events()); got.Type != zk.Rearmed {
			t.Errorf("event %+v, want Rearmed", got)
		}
		if len(w.Events()) != 0 {
			t.Errorf("%d more events", len(w.Events()))
		}
	})
}

// A reader that does not keep up loses events, and is told so at the place where
// they are missing, each time.
func TestLost(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{WatchQueue: 3})
		p, _ := f.session(1, time.Second)
		w := p.addWatch(c, "/a", zk.Persistent)
		drain := func(want ...zk.EventType) {
			t.Helper()
			synctest.Wait()
			for i, typ := range want {
				if got := next(t, w.Events()); got.Type != typ || got.Path != "/a" {
					t.Errorf("event %d: %+v, want %v", i, got, typ)
				}
			}
		}
		for range 10 {
			p.notify(jute.EventNodeDataChanged, "/a")
		}
		drain(zk.NodeDataChanged)
		for range 10 { // all behind the Lost that is still unread
			p.notify(jute.EventNodeDeleted, "/a")
		}
		drain(zk.NodeDataChanged, zk.NodeDataChanged, zk.Lost, zk.Lost)
		p.notify(jute.EventNodeCreated, "/a")
		drain(zk.NodeCreated)
		if len(w.Events()) != 0 {
			t.Errorf("%d more events", len(w.Events()))
		}
	})
}

// Events of a path that is not watched, or of a type that nobody knows, are
// passed over.
func TestStrayEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		deep := p.addWatch(c, "/a", zk.PersistentRecursive)
		root := p.addWatch(c, "/", zk.PersistentRecursive)
		plain := p.addWatch(c, "/a", zk.Persistent)
		p.notify(jute.EventNodeChildrenChanged, "/a") // plain only
		p.notify(jute.EventNodeCreated, "/ab")        // root only
		p.notify(99, "/a")
		p.notify(jute.EventNodeCreated, "")
		p.notify(jute.EventNodeCreated, "no slash") // root: everything is below it
		p.notify(jute.EventNodeCreated, "/a/b/c")
		synctest.Wait()
		counts := []int{len(deep.Events()), len(root.Events()), len(plain.Events())}
		if want := []int{1, 3, 1}; counts[0] != want[0] || counts[1] != want[1] || counts[2] != want[2] {
			t.Errorf("events %v, want %v", counts, want)
		}
	})
}

// An AddWatch whose caller has left does not stay behind on the server.
func TestAddWatchAbandoned(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.AddWatch(ctx, "/a", zk.Persistent)
			done <- err
		}()
		h := p.expect(jute.OpAddWatch, &jute.PathModeRequest{})
		cancel()
		wantError(t, <-done, context.Canceled, "addWatch", "/a", true)
		p.answer(h, 1, &jute.ErrorResponse{})
		var req jute.PathModeRequest
		p.answer(p.expect(jute.OpRemoveWatches, &req), 1)
		if req.Path != "/a" || req.Mode != jute.WatcherAny {
			t.Errorf("removeWatches %+v", req)
		}
	})
}

// Closing a watch removes it with the connection it is on; a connection lost
// meanwhile has done that.
func TestWatchCloseCut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		w, kept := p.addWatch(c, "/a", zk.Persistent), p.addWatch(c, "/a", zk.PersistentRecursive)
		done := make(chan error, 1)
		go func() { done <- w.Close() }()
		p.expect(jute.OpRemoveWatches, &jute.PathModeRequest{})
		p.Close()
		if err := <-done; err != nil {
			t.Errorf("Close: %v", err)
		}
		p, _ = f.session(1, time.Second)
		var req jute.SetWatches2Request
		p.answer(p.expect(jute.OpSetWatches2, &req), 6)
		if len(req.Persistent) != 0 || len(req.PersistentRecursive) != 1 {
			t.Errorf("setWatches2 %+v, want the other watch only", req)
		}
		if got := next(t, kept.Events()); got.Type != zk.Rearmed {
			t.Errorf("event %+v, want Rearmed", got)
		}
		go func() { done <- kept.Close() }()
		p.refuse(p.expect(jute.OpRemoveWatches, &jute.PathModeRequest{}), jute.ErrNoWatcher)
		if err := <-done; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// A removal takes every watch off its path; another mode's is armed again and
// says so.
func TestWatchCloseOtherMode(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		w, kept := p.addWatch(c, "/a", zk.Persistent), p.addWatch(c, "/a", zk.PersistentRecursive)
		far := p.addWatch(c, "/b", zk.Persistent)
		done := make(chan error, 1)
		go func() { done <- w.Close() }()
		p.answer(p.expect(jute.OpRemoveWatches, &jute.PathModeRequest{}), 6)
		var req jute.SetWatches2Request
		p.answer(p.expect(jute.OpSetWatches2, &req), 6)
		if len(req.Persistent) != 0 || len(req.PersistentRecursive) != 1 || req.PersistentRecursive[0] != "/a" {
			t.Errorf("setWatches2 %+v, want /a recursive only", req)
		}
		if err := <-done; err != nil {
			t.Errorf("Close: %v", err)
		}
		if got := next(t, kept.Events()); got.Type != zk.Rearmed {
			t.Errorf("event %+v, want Rearmed", got)
		}
		if len(far.Events()) != 0 {
			t.Error("a watch on another path was told something")
		}
	})
}

// When authentication fails after a time, every watch ends with that.
func TestWatchesEndWithAuth(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("a:b")}}})
		p, _ := f.session(1, time.Second)
		p.expect(jute.OpAuth, &jute.AuthRequest{})
		p.send(&jute.ReplyHeader{Xid: jute.XidAuth})
		w := p.addWatch(c, "/a", zk.Persistent)
		p.Close()
		p, _ = f.session(1, time.Second)
		p.expect(jute.OpAuth, &jute.AuthRequest{})
		p.send(&jute.ReplyHeader{Xid: jute.XidAuth, Err: jute.ErrAuthFailed})
		if got := next(t, w.Events()); !errors.Is(got.Err, zk.ErrAuthFailed) {
			t.Errorf("event %+v, want ErrAuthFailed", got)
		}
		if _, ok := <-w.Events(); ok {
			t.Error("the channel is open")
		}
	})
}
