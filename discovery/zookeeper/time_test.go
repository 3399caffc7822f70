// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A bubble is a session on a fake registry, inside a synctest bubble, and what a
// watcher of /rpc was told.
type bubble struct {
	t       *testing.T
	fake    *fake
	session *Session
	stop    func()

	mu      sync.Mutex // guards what follows
	updates []discovery.Update
	at      []time.Time
}

func inBubble(t *testing.T, test func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, fake: newFake()}
		opts := Options{Rand: func() float64 { return 0.5 }, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
		b.session = &Session{
			shared: newShared(b.fake, opts), opts: opts,
			closed: make(chan struct{}), registrations: map[*registration]struct{}{},
		}
		b.session.shared.handles = 1
		test(b)
		if b.stop != nil {
			b.stop()
		}
		if err := b.session.Close(); err != nil {
			t.Error(err)
		}
	})
}

// watch watches the list. What it is told can be read while the bubble rests.
func (b *bubble) watch() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.session.Resolver("/rpc").Watch(ctx, func(u discovery.Update) { //nolint:errcheck // it ends with the test
			b.mu.Lock()
			defer b.mu.Unlock()
			b.updates = append(b.updates, u)
			b.at = append(b.at, time.Now())
		})
	}()
	b.stop = func() { cancel(); <-done }
}

// after lets time pass until everything rests, and takes the updates since the
// last call.
func (b *bubble) after(d time.Duration) []discovery.Update {
	time.Sleep(d)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.updates
	b.updates, b.at = nil, nil
	return u
}

// story tells updates in few words.
func story(updates []discovery.Update) string {
	var words []string
	for _, u := range updates {
		words = append(words, fmt.Sprint(u.Source, len(u.Instances), u.Err != nil))
	}
	return strings.Join(words, ", ")
}

func (b *bubble) want(updates []discovery.Update, want string) {
	b.t.Helper()
	if got := story(updates); got != want {
		b.t.Errorf("got updates %q, want %q", got, want)
	}
}

func data(port int) string { return fmt.Sprintf(`{"host":"h","port":%d}`, port) }

func (b *bubble) addMany(first, n int) {
	for i := first; i < first+n; i++ {
		b.fake.add(fmt.Sprintf("server%010d", i), data(i+1))
	}
}

func TestSilentRegistryIsToldAfterConnectTimeout(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.watch()
		b.want(b.after(time.Second-1), "")
		b.want(b.after(1), "none 0 true")
		b.want(b.after(time.Hour), "")
		b.fake.connect()
		b.want(b.after(0), "live 0 false")
	})
}

func TestRefusedConnectionIsToldAtOnce(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.watch()
		b.want(b.after(time.Millisecond), "")
		b.fake.disconnect()
		b.want(b.after(0), "none 0 true")
		b.fake.disconnect() // another text, the same kind
		b.want(b.after(time.Minute), "")
	})
}

func TestUpdatesAreCoalesced(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.watch()
		b.want(b.after(time.Second), "live 0 false")

		b.addMany(0, 1)
		b.want(b.after(0), "live 1 false") // the first change at once
		for i := 1; i <= 100; i++ {        // one each ms
			b.addMany(i, 1)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		b.mu.Lock()
		times := slices.Clone(b.at)
		b.mu.Unlock()
		updates := b.after(time.Second)
		if len(updates) > 3 || len(updates[len(updates)-1].Instances) != 101 {
			t.Errorf("got %q for 100 changes in 100 ms, want at most 3 updates, the last with 101", story(updates))
		}
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d < 50*time.Millisecond {
				t.Errorf("got updates %v apart, want 50 ms", d)
			}
		}
		if lists, gets := b.fake.counts(); lists != 1 || gets != 101 {
			t.Errorf("got %d lists and %d reads, want 1 and 101", lists, gets)
		}
	})
}

// TestCameAndWentIsSilent: what is gone before it could be told is not told, whether
// it was read or not.
func TestCameAndWentIsSilent(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.addMany(0, 2)
		b.watch()
		b.want(b.after(time.Second), "live 2 false")
		b.fake.addAndRemove("server0000000009", data(9))
		b.want(b.after(time.Second), "")

		b.addMany(2, 1)
		b.want(b.after(0), "live 3 false")
		b.addMany(9, 1) // is read at once, and told 50 ms after the last update
		b.want(b.after(time.Millisecond), "")
		b.fake.remove("server0000000009")
		b.want(b.after(time.Second), "")
	})
}

// TestDeletedWhileRead: a node that is deleted while it is read does not come
// back with the answer.
func TestDeletedWhileRead(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.watch()
		b.want(b.after(time.Second), "live 0 false")
		release := b.fake.hold(&b.fake.holdGets)
		b.addMany(0, 1)
		b.want(b.after(time.Second), "")
		b.fake.remove("server0000000000")
		b.want(b.after(time.Second), "")
		release()
		b.want(b.after(time.Second), "")
	})
}

// TestJoinedWhileListed: a list that is older than what the watch has told does
// not take it back.
func TestJoinedWhileListed(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.addMany(0, 1)
		b.watch()
		b.want(b.after(time.Second), "live 1 false")
		release := b.fake.hold(&b.fake.holdList)
		b.fake.tell(zk.Rearmed, "") // list
		b.after(time.Second)
		b.addMany(1, 1)
		b.want(b.after(time.Second), "live 2 false")
		release()
		b.want(b.after(time.Second), "")
	})
}

// TestAnotherLife: in another life of the directory names stand for other
// content, whether or not there was a directory when the first list was made.
func TestAnotherLife(t *testing.T) {
	for name, refuse := range map[string]error{"from the beginning": nil, "later": zk.ErrNoNode} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bubble) {
				b.fake.connect()
				b.fake.refuse = refuse
				b.watch()
				b.after(time.Second)
				b.fake.refuse = nil
				b.addMany(0, 2)
				b.want(b.after(time.Second), "live 1 false, live 2 false")
				b.fake.disconnect()
				b.want(b.after(time.Second), "stale 2 true")
				b.fake.quietly("server0000000000", data(101), 2)
				b.fake.quietly("server0000000001", data(102), 2)
				b.fake.life++
				b.fake.connect()
				updates := b.after(time.Second)
				b.want(updates, "live 2 false")
				if got := ports(updates[0]); !slices.Equal(got, []int{101, 102}) {
					t.Errorf("got ports %v, want 101 and 102", got)
				}
			})
		})
	}
}

// TestOneShotReconnection: a reconnection without an event is told, for the
// listeners wait for it.
func TestOneShotReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.connect()
		w := &watcher{registry: f, listeners: map[listener]struct{}{}}
		l := &lister{inbox: inbox{kick: make(chan struct{}, 1)}}
		w.add(l, true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.awaitEvent(ctx, nil, f.Session()) }()
		synctest.Wait()
		if l.inbox.take().armed {
			t.Error("told without a reconnection")
		}
		time.Sleep(time.Second)
		f.disconnect()
		synctest.Wait()
		if l.inbox.take().armed {
			t.Error("told without a connection")
		}
		f.connect()
		synctest.Wait()
		if !l.inbox.take().armed {
			t.Error("the reconnection was not told")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

func TestStaleListComesBack(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.addMany(0, 2)
		b.watch()
		b.want(b.after(time.Second), "live 2 false")
		b.fake.disconnect()
		lost := time.Now()
		updates := b.after(0)
		b.want(updates, "stale 2 true")
		if !updates[0].Confirmed.Equal(lost) {
			t.Errorf("got confirmed %v, want %v", updates[0].Confirmed, lost)
		}
		b.fake.quietly("server0000000002", data(3), 2)
		b.want(b.after(time.Hour), "")
		b.fake.counts()
		b.fake.connect()
		b.want(b.after(time.Second), "live 3 false")
		if lists, gets := b.fake.counts(); lists != 1 || gets != 1 {
			t.Errorf("got %d lists and %d reads, want 1 and 1", lists, gets)
		}
	})
}

// TestOtherNamesAreReadAgain: a name that the registry did not number may have
// come back with another content.
func TestOtherNamesAreReadAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.fake.add("10.0.0.1:80", data(80))
		b.addMany(0, 1)
		b.watch()
		b.want(b.after(time.Second), "live 2 false")
		b.fake.disconnect()
		b.fake.quietly("10.0.0.1:80", data(81), 2)
		b.want(b.after(time.Second), "stale 2 true")
		b.fake.connect()
		updates := b.after(time.Second)
		b.want(updates, "live 2 false")
		if got := ports(updates[0]); !slices.Contains(got, 81) {
			t.Errorf("got ports %v, want 81 among them", got)
		}
	})
}

// TestResync: what the watch has not told is found by the slow re-read.
func TestResync(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.addMany(0, 10)
		b.watch()
		b.want(b.after(time.Second), "live 10 false")
		b.fake.counts()
		b.fake.quietly("server0000000003", data(999), 2)
		b.fake.quietly("server0000000099", data(100), 2)
		b.want(b.after(4*time.Minute), "")
		updates := b.after(time.Minute)
		if last := updates[len(updates)-1]; len(last.Instances) != 11 || !slices.Contains(ports(last), 999) {
			t.Errorf("got %q, ports %v", story(updates), ports(last))
		}
		if lists, gets := b.fake.counts(); lists != 1 || gets != 11 {
			t.Errorf("got %d lists and %d reads, want 1 and 11", lists, gets)
		}
		b.want(b.after(time.Hour), "")
	})
}

func TestListErrorIsToldAndRetried(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.refuse = zk.ErrNoAuth
		b.fake.connect()
		b.watch()
		updates := b.after(time.Minute)
		b.want(updates, "none 0 true")
		if !errors.Is(updates[0].Err, zk.ErrNoAuth) {
			t.Errorf("got %v, want %v", updates[0].Err, zk.ErrNoAuth)
		}
		if lists, _ := b.fake.counts(); lists < 10 || lists > 40 {
			t.Errorf("got %d attempts in a minute, want a growing pause of up to 5 s", lists)
		}
		b.fake.mu.Lock()
		b.fake.refuse = nil
		b.fake.mu.Unlock()
		b.want(b.after(5*time.Second), "live 0 false")
	})
}

// TestPerhapsExpired: a registration whose registry has been away for longer
// than the session's timeout does not claim to be there.
func TestPerhapsExpired(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		b.fake.disconnect()
		b.after(10*time.Second - 1)
		if st := r.Status(); !st.Registered || st.Err != nil {
			t.Errorf("before the timeout: got %+v, want registered", st)
		}
		b.after(1)
		if st := r.Status(); st.Registered || st.Err == nil || !st.Since.Equal(time.Now()) {
			t.Errorf("after the timeout: got %+v, want not registered, since now", st)
		}
		b.fake.connect()
		b.after(0)
		if st := r.Status(); !st.Registered || st.Err != nil {
			t.Errorf("back in the same session: got %+v, want registered", st)
		}
	})
}

// TestSlowCheck: a node that vanished without a word is created again at the
// next unprovoked check.
func TestSlowCheck(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		b.fake.mu.Lock()
		clear(b.fake.nodes)
		b.fake.mu.Unlock()
		name := r.Status().Name
		b.after(4 * time.Minute)
		if got := r.Status().Name; got != name {
			t.Errorf("got %q too early", got)
		}
		b.after(time.Minute)
		if st := r.Status(); !st.Registered || st.Name == name {
			t.Errorf("got %+v, want another entry", st)
		}
	})
}

// TestSlowCheckFindsTwin: a younger twin that has not deleted our node is found
// by the slow check, and its end is noticed.
func TestSlowCheckFindsTwin(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		in := instance(8001)
		r, err := b.session.Registrar("/rpc").Register(in)
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		twin := "server0000000099"
		b.fake.quietly(twin, `{"host":"h","port":1,"id":"`+in.ID+`"}`, 2)
		b.after(6 * time.Minute)
		if st := r.Status(); !st.Registered || st.Conflict != twin {
			t.Errorf("got %+v, want our entry and a conflict with %s", st, twin)
		}
		b.fake.remove(twin)
		b.after(0)
		if st := r.Status(); !st.Registered || st.Conflict != "" {
			t.Errorf("got %+v, want no conflict", st)
		}
	})
}

// TestDeletedAgainAndAgain: somebody who deletes the node whenever it comes does
// not make the registration a load on the registry.
func TestDeletedAgainAndAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Minute)
		for time.Now().Before(end) {
			if st := r.Status(); st.Registered {
				b.fake.remove(st.Name)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		b.fake.mu.Lock()
		n := len(b.fake.creates)
		b.fake.mu.Unlock()
		if n < 10 || n > 70 {
			t.Errorf("got %d creates in a minute, want about one a second", n)
		}
	})
}

// created returns how many creates there were.
func (b *bubble) created() int {
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	return len(b.fake.creates)
}

// TestNoAnswerIsNoLoss: a registry that does not say what is in a node has not said
// that the node is not ours. Taking it for that made a second entry, or with an ACL
// that forgets us, one after the other.
func TestNoAnswerIsNoLoss(t *testing.T) {
	for _, refusal := range []error{errors.New("throttled"), zk.ErrNoAuth} {
		inBubble(t, func(b *bubble) {
			b.fake.connect()
			r, err := b.session.Registrar("/rpc").Register(instance(8001))
			if err != nil {
				t.Fatal(err)
			}
			b.after(time.Second)
			name := r.Status().Name
			refuse := func(err error) {
				b.fake.mu.Lock()
				defer b.fake.mu.Unlock()
				b.fake.getError = err
			}
			refuse(refusal)
			b.after(time.Hour)
			if st := r.Status(); !st.Registered || st.Name != name || b.created() != 1 {
				t.Errorf("%v: got %+v after %d creates, want %s alone", refusal, st, b.created(), name)
			}
			refuse(nil)
			b.fake.remove(name)
			b.after(time.Minute)
			if st := r.Status(); !st.Registered || st.Name == name || b.created() != 2 {
				t.Errorf("%v, deleted: got %+v after %d creates, want another entry", refusal, st, b.created())
			}
		})
	}
}

// TestUnreadableIsDeregistered: an entry whose ACL forgets us is deleted when it is not
// wanted any more, though it cannot be looked at.
func TestUnreadableIsDeregistered(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		name := r.Status().Name
		b.fake.mu.Lock()
		b.fake.getError = zk.ErrNoAuth
		b.fake.mu.Unlock()
		if err := r.Deregister(within(b.t)); err != nil {
			t.Error(err)
		}
		if names, _, err := b.fake.Children(b.t.Context(), "/rpc"); err != nil || len(names) != 0 {
			t.Errorf("after %s was deregistered: %v, %v", name, names, err)
		}
	})
}

// TestUnreadableIsNotOursInAnotherSession: after a wipe the name may be that of
// somebody whose entry we may not read.
func TestUnreadableIsNotOursInAnotherSession(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		b.fake.mu.Lock()
		b.fake.getError = zk.ErrNoAuth
		b.fake.mu.Unlock()
		b.fake.set(func(s *zk.Session) { s.ID, s.Generation = 2, 2 })
		b.after(time.Second)
		b.fake.mu.Lock()
		b.fake.getError = nil
		b.fake.mu.Unlock()
		b.after(time.Minute)
		if st := r.Status(); !st.Registered || b.created() != 2 {
			t.Errorf("got %+v after %d creates, want one in the new session", st, b.created())
		}
	})
}

// TestLostCreateSeenLate: the server that is asked whether a create was carried out
// may not have heard of it yet.
func TestLostCreateSeenLate(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.fake.lateNode = true
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		if st := r.Status(); !st.Registered || b.created() != 1 {
			t.Errorf("got %+v after %d creates, want the one entry", st, b.created())
		}
	})
}

// TestTwinGoneWhileItIsRead: a twin that goes between its read and the moment in
// which it is known as one leaves no conflict behind.
func TestTwinGoneWhileItIsRead(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		in := instance(8001)
		r, err := b.session.Registrar("/rpc").Register(in)
		if err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		twin := "server0000000099"
		b.fake.holdOnly = twin
		release := b.fake.hold(&b.fake.holdGets)
		b.fake.quietly(twin, `{"host":"h","port":1,"id":"`+in.ID+`"}`, 2)
		b.after(6 * time.Minute)
		b.fake.remove(twin)
		b.after(0)
		release()
		b.after(0)
		if st := r.Status(); !st.Registered || st.Conflict != "" {
			t.Errorf("got %+v, want no conflict", st)
		}
	})
}
