// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestDecide(t *testing.T) {
	const we, they = 1, 2
	mine := func(name string, czxid int64) candidate {
		return candidate{name: name, czxid: czxid, owner: we, mine: true, current: true}
	}
	twin := func(name string, czxid int64) candidate { return candidate{name: name, czxid: czxid, owner: they} }
	changed := candidate{name: "changed", czxid: 5, owner: we, mine: true}
	orphan := candidate{name: "orphan", czxid: 9}
	tests := []struct {
		what     string
		o        observation
		verb     verb
		node     string
		conflict string
	}{
		{"nothing there", observation{wanted: true}, create, "", ""},
		{"not wanted, nothing there", observation{}, rest, "", ""},
		{"as it should be", observation{wanted: true, nodes: []candidate{mine("a", 5)}}, rest, "a", ""},
		{"not wanted any more", observation{nodes: []candidate{mine("a", 5)}}, deleteOwn, "a", ""},
		{"not wanted, changed", observation{nodes: []candidate{changed}}, deleteOwn, "changed", ""},
		{"not wanted, elder there", observation{czxid: 5, nodes: []candidate{twin("t", 3)}}, rest, "", ""},
		{"two of ours", observation{wanted: true, nodes: []candidate{mine("b", 6), mine("a", 5)}}, deleteOwn, "b", ""},
		{"two of ours, one known", observation{wanted: true, name: "b", nodes: []candidate{mine("b", 6), mine("a", 5)}}, deleteOwn, "a", ""},
		{"ours was changed", observation{wanted: true, czxid: 5, nodes: []candidate{changed}}, create, "", ""},
		{"ours was changed, new one there", observation{wanted: true, nodes: []candidate{changed, mine("b", 6)}}, deleteOwn, "changed", ""},
		{"ours was changed, younger twin", observation{wanted: true, czxid: 5, nodes: []candidate{changed, twin("t", 6)}}, deleteOwn, "changed", ""},
		{"elder before the first create", observation{wanted: true, nodes: []candidate{twin("t", 3)}}, create, "", ""},
		{"elder", observation{wanted: true, nodes: []candidate{twin("t", 3), mine("a", 5)}}, deleteElder, "t", ""},
		{"elder, done", observation{wanted: true, cleared: map[string]bool{"t": true}, nodes: []candidate{twin("t", 3), mine("a", 5)}}, rest, "a", ""},
		{"younger beside ours", observation{wanted: true, nodes: []candidate{twin("t", 6), mine("a", 5)}}, rest, "a", "t"},
		{"younger, ours gone", observation{wanted: true, czxid: 5, nodes: []candidate{twin("t", 6), twin("u", 7)}}, rest, "", "u"},
		{"elder, ours gone", observation{wanted: true, czxid: 5, nodes: []candidate{twin("t", 4)}}, create, "", ""},
		{"younger without an owner, ours gone", observation{wanted: true, czxid: 5, nodes: []candidate{orphan}}, create, "", ""},
	}
	for _, test := range tests {
		test.o.had = test.o.czxid != 0
		got := decide(test.o)
		if got.verb != test.verb || got.node.name != test.node || got.conflict != test.conflict {
			t.Errorf("%s: got %+v, want verb %d of %q, conflict %q", test.what, got, test.verb, test.node, test.conflict)
		}
	}
}

// TestDecideLoss: what is told is why there is no node with our data, and nothing
// while there is one, or never was.
func TestDecideLoss(t *testing.T) {
	mine := candidate{name: "a", czxid: 5, owner: 1, mine: true, current: true}
	changed := candidate{name: "a", czxid: 5, owner: 1, mine: true}
	twin := candidate{name: "t", czxid: 6, owner: 2}
	elder := candidate{name: "e", czxid: 4, owner: 2}
	tests := []struct {
		what string
		o    observation
		want discovery.Loss
	}{
		{"never there", observation{wanted: true, expired: true, wiped: true}, 0},
		{"there", observation{wanted: true, had: true, name: "a", nodes: []candidate{mine}}, 0},
		{"there, among twins", observation{wanted: true, had: true, name: "a", nodes: []candidate{elder, mine, twin}}, 0},
		{"not wanted", observation{had: true}, 0},
		{"deleted", observation{wanted: true, had: true, czxid: 5}, discovery.LossDeleted},
		{"deleted beside an elder", observation{wanted: true, had: true, czxid: 5, nodes: []candidate{elder}}, discovery.LossDeleted},
		{"changed", observation{wanted: true, had: true, name: "a", czxid: 5, nodes: []candidate{changed}}, discovery.LossChanged},
		{"changed beside a younger one", observation{wanted: true, had: true, name: "a", czxid: 5, nodes: []candidate{changed, twin}}, discovery.LossChanged},
		{"replaced", observation{wanted: true, had: true, czxid: 5, nodes: []candidate{twin}}, discovery.LossReplaced},
		{"expired", observation{wanted: true, had: true, expired: true, czxid: 5}, discovery.LossExpired},
		{"expired, then replaced", observation{wanted: true, had: true, expired: true, czxid: 5, nodes: []candidate{twin}}, discovery.LossExpired},
		{"wiped", observation{wanted: true, had: true, expired: true, wiped: true, czxid: 5}, discovery.LossWiped},
		{"directory deleted", observation{wanted: true, had: true, wiped: true, czxid: 5}, discovery.LossWiped},
	}
	for _, test := range tests {
		if got := decide(test.o).loss; got != test.want {
			t.Errorf("%s: got %v, want %v", test.what, got, test.want)
		}
	}
}

// A world is a directory and two servers with one ID, each of which decides for
// itself, with what it remembers.
type world struct {
	zxid  int64
	nodes map[string]candidate // owner and czxid are true; mine and current are made for each observer
	data  map[string]int       // whose data a node holds
	minds [3]struct {
		wanted  bool
		session int64
		o       observation
	}
}

func (w *world) observe(who int) observation {
	m := &w.minds[who]
	o := m.o
	o.wanted, o.nodes = m.wanted, nil
	if n, ok := w.nodes[o.name]; !ok || n.owner != m.session {
		o.name = ""
	}
	for _, n := range w.nodes {
		n.mine = n.owner == m.session
		n.current = n.mine && w.data[n.name] == who
		o.nodes = append(o.nodes, n)
		if n.name == o.name {
			o.czxid = n.czxid
		}
	}
	m.o = o
	return o
}

// step lets one server act once, and reports whether it rests.
func (w *world) step(who int, rng *rand.Rand) bool {
	m := &w.minds[who]
	a := decide(w.observe(who))
	switch a.verb {
	case create:
		w.zxid++
		n := candidate{name: fmt.Sprint("n", w.zxid), czxid: w.zxid, owner: m.session}
		w.nodes[n.name], w.data[n.name] = n, who
		if rng.IntN(4) > 0 { // else the answer is lost
			m.o.name, m.o.czxid = n.name, n.czxid
		}
	case deleteOwn:
		delete(w.nodes, a.node.name)
	case deleteElder:
		delete(w.nodes, a.node.name)
		cleared := map[string]bool{a.node.name: true}
		for name := range m.o.cleared {
			cleared[name] = true
		}
		m.o.cleared = cleared
	case rest:
		if a.node.name != "" {
			m.o.name, m.o.czxid = a.node.name, a.node.czxid
		}
		return true
	}
	return false
}

// disturb does to the world what may happen to it.
func (w *world) disturb(rng *rand.Rand) {
	who := 1 + rng.IntN(2)
	m := &w.minds[who]
	switch rng.IntN(5) {
	case 0: // the session expires
		for name, n := range w.nodes {
			if n.owner == m.session {
				delete(w.nodes, name)
			}
		}
		m.session += 10
	case 1: // nodes are deleted by hand
		for name := range w.nodes {
			if rng.IntN(2) == 0 {
				delete(w.nodes, name)
			}
		}
	case 2: // nodes are changed by hand
		for name := range w.nodes {
			if rng.IntN(2) == 0 {
				w.data[name] = 0
			}
		}
	case 3:
		m.wanted = !m.wanted
	case 4: // the registry is wiped and counts from the start
		clear(w.nodes)
		w.zxid = 0
		for i := range w.minds {
			w.minds[i].session += 10
			w.minds[i].o.cleared = nil
		}
	}
}

// TestDecideComesToRest: after any disturbances both servers come to rest in few
// steps, with one node for those who are wanted, and none of those who are not.
func TestDecideComesToRest(t *testing.T) {
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		w := &world{nodes: map[string]candidate{}, data: map[string]int{}}
		for who := range w.minds {
			w.minds[who].session = int64(who)
			w.minds[who].wanted = rng.IntN(3) > 0
		}
		for range 20 {
			for range rng.IntN(4) {
				w.disturb(rng)
				w.step(1+rng.IntN(2), rng)
			}
			w.settle(t, seed, rng)
		}
	}
}

// settle lets the servers act in random order until both rest, and checks the end.
func (w *world) settle(t *testing.T, seed uint64, rng *rand.Rand) {
	t.Helper()
	for steps := 0; ; steps++ {
		if steps > 100 {
			t.Fatalf("seed %d: no rest: %+v", seed, w)
		}
		first := 1 + rng.IntN(2)
		if w.step(first, rng) && w.step(3-first, rng) && w.step(first, rng) {
			break
		}
	}
	wanted := 0
	for who := 1; who <= 2; who++ {
		m := &w.minds[who]
		own := 0
		for _, n := range w.nodes {
			if n.owner == m.session {
				own++
				if !m.wanted {
					t.Fatalf("seed %d: server %d left %s", seed, who, n.name)
				}
				if w.data[n.name] != who {
					t.Fatalf("seed %d: server %d has %s with data of %d", seed, who, n.name, w.data[n.name])
				}
			}
		}
		if own > 1 {
			t.Fatalf("seed %d: server %d has %d nodes", seed, who, own)
		}
		if m.wanted {
			wanted++
		}
	}
	if (len(w.nodes) > 0) != (wanted > 0) || len(w.nodes) > 2 {
		t.Fatalf("seed %d: %d wanted, nodes %v", seed, wanted, w.nodes)
	}
}
