// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// TestLossIsToldOnce: that an entry is gone, why, and why it does not come back is
// told at once; the loss is counted and logged once, however many attempts to
// create another one fail.
func TestLossIsToldOnce(t *testing.T) {
	inBubble(t, func(b *bubble) {
		var log warnings
		b.session.opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(0)
		refuse := func(err error) {
			b.fake.mu.Lock()
			defer b.fake.mu.Unlock()
			b.fake.noCreate = err
		}
		for round := 1; round <= 2; round++ {
			refuse(zk.ErrNoAuth)
			before, changed := r.Status(), r.Changed()
			if !before.Registered {
				t.Fatalf("got %+v, want registered", before)
			}
			b.fake.remove(before.Name)
			b.after(0)
			select {
			case <-changed:
			default:
				t.Error("Changed: still open when the entry was gone")
			}
			want := map[discovery.Loss]int{discovery.LossDeleted: round}
			for _, wait := range []time.Duration{0, time.Minute} {
				b.after(wait)
				if st := r.Status(); st.Registered || !errors.Is(st.Err, zk.ErrNoAuth) || st.LastLoss != discovery.LossDeleted || !cmp.Equal(st.Losses, want) {
					t.Errorf("after %v: got %+v, want losses %v and the refusal", wait, st, want)
				}
			}
			if got := before.Losses[discovery.LossDeleted]; got != round-1 {
				t.Errorf("what was read before says %d losses now, want %d", got, round-1)
			}
			refuse(nil)
			b.after(time.Minute)
			if st := r.Status(); !st.Registered || st.Err != nil || !cmp.Equal(st.Losses, want) {
				t.Errorf("got %+v, want registered, with losses %v", st, want)
			}
			lines := log.take()
			if len(lines) != 1 || !strings.Contains(lines[0], "instance="+before.Name) || !strings.Contains(lines[0], "reason=deleted") {
				t.Errorf("got %q, want one line that names the entry and the reason", lines)
			}
		}
		if err := r.Deregister(b.t.Context()); err != nil {
			t.Fatal(err)
		}
		want := discovery.RegistrationStatus{
			Since: r.Status().Since, Err: discovery.ErrDeregistered,
			LastLoss: discovery.LossDeleted, Losses: map[discovery.Loss]int{discovery.LossDeleted: 2},
		}
		if diff := cmp.Diff(r.Status(), want, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
			t.Errorf("deregistered, got - want +:\n%s", diff)
		}
	})
}

// TestExpiryLooksLikeDeletion: the nodes of a session that has expired may be seen
// to go before the session is known to have ended. That is one loss, by the expiry.
func TestExpiryLooksLikeDeletion(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(0)
		b.fake.mu.Lock()
		b.fake.noCreate = zk.ErrSessionExpired
		b.fake.mu.Unlock()
		b.fake.remove(r.Status().Name)
		b.after(0)
		if st := r.Status(); st.Registered || st.Err == nil || st.LastLoss != 0 {
			t.Errorf("got %+v, want no entry, and no reason that is not sure", st)
		}
		b.fake.mu.Lock()
		b.fake.noCreate = nil
		b.fake.mu.Unlock()
		b.fake.set(func(s *zk.Session) { s.ID, s.Generation = 2, 2 })
		b.after(time.Minute)
		want := map[discovery.Loss]int{discovery.LossExpired: 1}
		if st := r.Status(); !st.Registered || !cmp.Equal(st.Losses, want) {
			t.Errorf("got %+v, want registered, with losses %v", st, want)
		}
	})
}

// TestWipedStaysWiped: the answer to the first create in a directory that had gone
// is lost, and so the directory is known when the next one is made.
func TestWipedStaysWiped(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(0)
		b.fake.mu.Lock()
		b.fake.life += 100
		b.fake.noCreate = zk.ErrConnectionLoss
		b.fake.mu.Unlock()
		b.fake.remove(r.Status().Name)
		b.after(time.Minute) // many attempts
		b.fake.mu.Lock()
		b.fake.noCreate = nil
		b.fake.mu.Unlock()
		b.after(time.Minute)
		want := map[discovery.Loss]int{discovery.LossWiped: 1}
		if st := r.Status(); !st.Registered || !cmp.Equal(st.Losses, want) {
			t.Errorf("got %+v, want registered, with losses %v", st, want)
		}
		b.fake.remove(r.Status().Name)
		b.after(time.Minute)
		want[discovery.LossDeleted] = 1
		if st := r.Status(); !st.Registered || !cmp.Equal(st.Losses, want) {
			t.Errorf("got %+v, want registered, with losses %v", st, want)
		}
	})
}

// TestDirectoryGoesAfterItWasListed: our node is found gone in a directory that was
// there a moment ago, and is not there any more when the next one is made.
func TestDirectoryGoesAfterItWasListed(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(0)
		b.fake.mu.Lock()
		b.fake.noCreate = zk.ErrNoNode
		b.fake.mu.Unlock()
		b.fake.remove(r.Status().Name)
		b.after(0)
		b.fake.mu.Lock()
		b.fake.noCreate = nil
		b.fake.mu.Unlock()
		b.after(time.Minute)
		want := map[discovery.Loss]int{discovery.LossWiped: 1}
		if st := r.Status(); !st.Registered || !cmp.Equal(st.Losses, want) {
			t.Errorf("got %+v, want registered, with losses %v", st, want)
		}
	})
}
