// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// drainDoc is a document that drains a server of the bubble.
func drainDoc(port int) string {
	return fmt.Sprintf(`{"version":1,"overrides":[{"address":"h:%d","drain":{"by":"ann"}}]}`, port)
}

// shown tells a list in few words: the port, d for drained, the weight if it is
// not the default.
func shown(u discovery.Update) string {
	var words []string
	for _, in := range u.Instances {
		word := strconv.Itoa(in.Port)
		if in.Drained() {
			word += "d"
		}
		if in.Weight != discovery.DefaultWeight {
			word += fmt.Sprintf("w%d", in.Weight)
		}
		words = append(words, word)
	}
	for _, s := range u.Skipped {
		words = append(words, "skipped:"+s.Name)
	}
	return strings.Join(words, " ")
}

// wantShown waits and expects one update that shows a list like this.
func (b *bubble) wantShown(want string) {
	b.t.Helper()
	updates := b.after(time.Second)
	if len(updates) != 1 || updates[0].Source != discovery.SourceLive || shown(updates[0]) != want {
		b.t.Errorf("got %q, want one update", story(updates))
		for _, u := range updates {
			b.t.Errorf("got %q, want %q", shown(u), want)
		}
	}
}

// TestOverridesAreFollowed: an order costs one read of the document, and nothing
// of the list; without a document there is one read for each connection.
func TestOverridesAreFollowed(t *testing.T) {
	inBubble(t, func(b *bubble) {
		check := func(what string, want int) {
			t.Helper()
			lists, gets := b.fake.counts()
			if reads := b.fake.orderReads(); reads != want || lists+gets != 0 {
				t.Errorf("%s: got %d reads of the document, %d lists and %d reads, want %d, 0 and 0", what, reads, lists, gets, want)
			}
		}
		b.fake.connect()
		b.addMany(0, 3)
		b.watch()
		b.wantShown("1 2 3")
		b.fake.counts()
		check("no document", 1)
		b.fake.order(drainDoc(2))
		b.wantShown("1 2d 3")
		check("an order", 1)
		b.fake.order(`{"version":1,"overrides":[{"address":"h:2","drain":{}},{"address":"h:3","weight":{"value":7}},{"id":"x","drain":{}}]}`)
		b.wantShown("1 2d 3w7")
		b.fake.order(drainDoc(2) + " ")
		b.wantShown("1 2d 3")
		b.fake.order(drainDoc(2)) // the same in other words
		b.want(b.after(time.Second), "")
		b.fake.order("")
		b.wantShown("1 2 3")
		check("four documents", 4)
		b.want(b.after(4*time.Minute), "")
		check("rest", 0)
	})
}

// TestOverrideOutlivesRestart: an order is for the instance, not for its entry.
func TestOverrideOutlivesRestart(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.fake.order(`{"version":1,"overrides":[{"id":"a","drain":{"by":"ann"},"weight":{"value":7}}]}`)
		b.fake.add("server0000000000", `{"host":"h","port":1,"id":"a"}`)
		b.fake.add("server0000000001", `{"host":"h","port":2,"id":"b"}`)
		b.watch()
		b.wantShown("1dw7 2")
		b.fake.remove("server0000000000")
		b.wantShown("2")
		b.fake.add("server0000000002", `{"host":"h","port":3,"id":"a","weight":50}`)
		b.wantShown("2 3dw7")
		b.fake.order("")
		b.wantShown("2 3w50")
	})
}

// TestFirstListHasOverrides: who connects never calls a drained instance because
// the list came first, not after a reconnection either.
func TestFirstListHasOverrides(t *testing.T) {
	inBubble(t, func(b *bubble) {
		release := b.fake.hold(&b.fake.orders.hold)
		b.fake.order(drainDoc(2))
		b.fake.connect()
		b.addMany(0, 2)
		b.watch()
		b.want(b.after(time.Second-1), "")
		release()
		b.wantShown("1 2d")
		b.fake.disconnect()
		b.want(b.after(time.Second), "stale 2 true")
		b.fake.mu.Lock()
		b.fake.orders.data = []byte(drainDoc(1))
		b.fake.mu.Unlock()
		release = b.fake.hold(&b.fake.orders.hold)
		b.fake.connect()
		b.want(b.after(time.Second), "")
		release()
		b.wantShown("1d 2")

		// A document that changes while the list does holds nothing up.
		release = b.fake.hold(&b.fake.orders.hold)
		b.fake.order(drainDoc(2))
		b.addMany(2, 1)
		b.wantShown("1d 2 3")
		release()
		b.wantShown("1 2d 3")
	})
}

// TestUnreadableOverrides: what was last read stays in force, and the document is
// told of, once, until it is repaired.
func TestUnreadableOverrides(t *testing.T) {
	inBubble(t, func(b *bubble) {
		var log warnings
		b.session.shared.opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		b.fake.connect()
		b.addMany(0, 2)
		b.fake.order(drainDoc(2))
		b.watch()
		b.wantShown("1 2d")
		b.fake.order(`{"version":2}`)
		b.wantShown("1 2d skipped:/rpc-meta/overrides")
		b.fake.order(`{"version":2,"new":[]}`) // as wrong as before
		b.want(b.after(time.Second), "")
		b.fake.add("server0000000007", `{"host":"h","port":8}`)
		b.wantShown("1 2d 8 skipped:/rpc-meta/overrides")
		if lines := log.take(); len(lines) != 1 || !strings.Contains(lines[0], "path=/rpc-meta/overrides") || !strings.Contains(lines[0], "version") {
			t.Errorf("got %q, want one line that names the node and the field", lines)
		}
		b.fake.order(drainDoc(1))
		b.wantShown("1d 2 8")
	})
}

// TestForbiddenOverrides: a document that may not be read, or not be watched, is
// told of and keeps no list back.
func TestForbiddenOverrides(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.orders.refuse, b.fake.orders.noWatch = zk.ErrNoAuth, zk.ErrNoAuth
		b.fake.connect()
		b.addMany(0, 2)
		b.watch()
		updates := b.after(time.Second)
		b.want(updates, "live 2 false")
		if u := updates[0]; shown(u) != "1 2 skipped:/rpc-meta/overrides" || !errors.Is(u.Skipped[0].Err, zk.ErrNoAuth) {
			t.Errorf("got %q, %v", shown(u), u.Skipped)
		}
		// Without a watch it is read now and then.
		b.fake.mu.Lock()
		b.fake.orders.refuse = nil
		b.fake.mu.Unlock()
		b.fake.order(drainDoc(2))
		updates = b.after(10 * time.Second)
		b.want(updates, "live 2 false")
		if got := shown(updates[0]); got != "1 2d" {
			t.Errorf("got %q, want the order", got)
		}
	})
}

// TestOverridesLostRead: a read of the document without an answer is made again.
func TestOverridesLostRead(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.orders.refuse = zk.ErrConnectionLoss
		b.fake.connect()
		b.addMany(0, 1)
		b.watch()
		b.want(b.after(time.Second), "none 0 true")
		b.fake.mu.Lock()
		b.fake.orders.refuse = nil
		b.fake.mu.Unlock()
		b.want(b.after(5*time.Second), "live 1 false")
	})
}

// TestOverridesOnRegistries: orders arrive with persistent and with one-shot
// watches, over a restart of the registry, for a path and for the root.
func TestOverridesOnRegistries(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		old := &ancient{}
		sessions := map[string]*Session{
			"persistent": session(t, n.Addr(), private),
			"one-shot":   wrapped(t, n.Addr(), func(r registry) registry { old.registry = r; return old }),
		}
		editor := session(t, n.Addr())
		for _, path := range []string{"/a/rpc", "/"} {
			ready(t, register(t, editor, path, instance(8001)))
			ready(t, register(t, editor, path, instance(8002)))
			all := map[string]*spectator{}
			for name, s := range sessions {
				all[name] = spectate(t, s, path)
			}
			see := func(want string) {
				t.Helper()
				for name, sp := range all {
					sp.until(name+" "+path+": "+want, func(u discovery.Update) bool {
						u.Skipped = nil // of the root: the other nodes
						// A busy machine may cost a session: the entries come back in any order.
						u.Instances = slices.SortedFunc(slices.Values(u.Instances), func(a, b discovery.Instance) int { return a.Port - b.Port })
						return u.Source == discovery.SourceLive && shown(u) == want
					})
				}
			}
			see("8001 8002")
			edit(t, editor, path, instance(8002), &discovery.Override{Drain: &discovery.Order{By: "ann"}})
			see("8001 8002d")
			edit(t, editor, path, instance(8001), &discovery.Override{Weight: &discovery.WeightOrder{Value: 7}})
			see("8001w7 8002d")
			if path == "/a/rpc" {
				n.Stop()
				for _, sp := range all {
					sp.source(discovery.SourceStale)
				}
				n.Restart()
				see("8001w7 8002d")
			}
			edit(t, editor, path, instance(8002), nil)
			see("8001w7 8002")
			for name, sp := range all {
				for _, s := range sp.last.Skipped {
					if strings.Contains(s.Name, "meta") {
						t.Errorf("%s: %s is taken for an entry", name, s.Name)
					}
				}
				sp.stop()
			}
		}
	})
}

// kazooDrains drains every instance that it finds, as docs/overrides.md tells
// programs in other languages to.
const kazooDrains = `
import json, sys
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.security import OPEN_ACL_UNSAFE
zk = KazooClient(hosts=sys.argv[1])
zk.start()
ids = [json.loads(zk.get("/rpc/" + name)[0])["id"] for name in zk.get_children("/rpc")]
zk.ensure_path("/rpc-meta")
while True:
    try:
        data, stat = zk.get("/rpc-meta/overrides")
        doc, version = json.loads(data), stat.version
    except NoNodeError:
        doc, version = {"version": 1, "overrides": []}, None
    by_id = {e.get("id"): e for e in doc["overrides"]}
    for id in ids:
        by_id.setdefault(id, {"id": id})["drain"] = {"by": "python", "ticket": 7}
    doc["overrides"] = list(by_id.values())
    data = json.dumps(doc).encode()
    try:
        if version is None:
            zk.create("/rpc-meta/overrides", data, acl=OPEN_ACL_UNSAFE)
        else:
            zk.set("/rpc-meta/overrides", data, version=version)
        break
    except (BadVersionError, NodeExistsError):
        pass
zk.stop()
`

// TestOverridesOfPython: orders of programs in other languages are followed and
// changed, and what only they know stays.
func TestOverridesOfPython(t *testing.T) {
	python := realtest.Kazoo(t)
	server := zktest.Start(t)
	s := session(t, server.Addr())
	ready(t, register(t, s, "/rpc", instance(8001)))
	ready(t, register(t, s, "/rpc", instance(8002)))
	sp := spectate(t, s, "/rpc")
	see := func(want string) {
		t.Helper()
		sp.until(want, func(u discovery.Update) bool { return shown(u) == want })
	}
	edit(t, s, "/rpc", instance(8002), &discovery.Override{Weight: &discovery.WeightOrder{Value: 7}})
	see("8001 8002w7")
	if out, err := realtest.Command(t, python, "-B", "-c", kazooDrains, server.Addr()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	see("8001d 8002dw7")
	edit(t, s, "/rpc", instance(8001), nil)
	see("8001 8002dw7")
	data, _, err := peer(t, server.Addr()).Get(within(t), "/rpc-meta/overrides")
	if err != nil || !strings.Contains(string(data), `"ticket":7`) || strings.Contains(string(data), "id8001") {
		t.Errorf("got %s, %v", data, err)
	}
}
