// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
)

// naive is the list of what a directory holds and of the overrides, made from
// nothing.
func naive(nodes map[string]discovery.Instance, broken map[string]error, o *layout.Overrides) (list []discovery.Instance, skipped []string) {
	youngest := map[string]discovery.Instance{}
	for _, in := range nodes {
		if old, ok := youngest[in.ID]; !ok || byAge(&in, &old) > 0 {
			youngest[in.ID] = in
		}
	}
	for _, in := range nodes {
		if in.ID == "" || youngest[in.ID].Name == in.Name {
			list = append(list, in.Overridden(o.For(layout.OverrideKeyOf(&in))))
		}
	}
	slices.SortFunc(list, func(a, b discovery.Instance) int { return byAge(&a, &b) })
	for name := range broken {
		skipped = append(skipped, name)
	}
	slices.Sort(skipped)
	return list, skipped
}

// randomOverrides are orders for some of the instances of the test.
func randomOverrides(rng *rand.Rand) *layout.Overrides {
	o := new(layout.Overrides)
	for range rng.IntN(4) {
		in := discovery.Instance{ID: strconv.Itoa(rng.IntN(3))}
		if rng.IntN(2) == 0 {
			in = discovery.Instance{Port: 1 + rng.IntN(2)}
		}
		in.Override = &discovery.Override{Weight: &discovery.WeightOrder{Value: rng.IntN(2)}}
		o.Put(in)
	}
	return o
}

func equal(a, b discovery.Instance) bool { return reflect.DeepEqual(a, b) }

// TestViewAgainstModel: after any sequence of changes the view holds what a list
// made from nothing would hold; build says whether it changed, and never changes
// a list that it has given away.
func TestViewAgainstModel(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		v := newView()
		nodes, broken := map[string]discovery.Instance{}, map[string]error{}
		var orders *layout.Overrides
		var before, copied []discovery.Instance
		var skippedBefore []string
		for range 60 {
			name := fmt.Sprintf("server%010d", rng.IntN(12))
			delete(nodes, name)
			delete(broken, name)
			switch rng.IntN(5) {
			case 0:
				err := fmt.Errorf("broken %d", rng.IntN(2))
				broken[name] = err
				v.set(discovery.Instance{Name: name}, err)
			case 1, 2:
				v.remove(name)
			default:
				in := discovery.Instance{Name: name, Port: 1 + rng.IntN(2), Revision: int64(rng.IntN(5))}
				if rng.IntN(3) > 0 {
					in.ID = strconv.Itoa(rng.IntN(3))
				}
				nodes[name] = in
				v.set(in, nil)
			}
			if rng.IntN(8) == 0 {
				orders = randomOverrides(rng)
				v.override(orders)
			}
			if rng.IntN(3) > 0 {
				continue
			}
			news := v.build()
			list, skipped := naive(nodes, broken, orders)
			if !slices.EqualFunc(v.instances, list, equal) {
				t.Fatalf("seed %d: instances, got - want +:\n%s", seed, cmp.Diff(v.instances, list))
			}
			var got []string
			for _, s := range v.skipped {
				got = append(got, s.Name)
			}
			if !slices.Equal(got, skipped) {
				t.Fatalf("seed %d: skipped, got - want +:\n%s", seed, cmp.Diff(got, skipped))
			}
			if changed := !slices.EqualFunc(list, copied, equal) || !slices.Equal(skipped, skippedBefore); changed && !news {
				t.Fatalf("seed %d: build did not tell of a change", seed)
			}
			if !slices.EqualFunc(before, copied, equal) {
				t.Fatalf("seed %d: a list that was given away changed:\n%s", seed, cmp.Diff(before, copied))
			}
			before, copied, skippedBefore = v.instances, slices.Clone(v.instances), skipped
			if v.build() || v.dirty() {
				t.Fatalf("seed %d: news without a change", seed)
			}
		}
	}
}

// TestViewIsSilent: what leaves the list as it was is no news.
func TestViewIsSilent(t *testing.T) {
	v := newView()
	v.set(discovery.Instance{Name: "server0000000001", ID: "a", Revision: 1}, nil)
	v.set(discovery.Instance{Name: "server0000000002", ID: "a", Revision: 2}, nil)
	v.build()
	if v.set(discovery.Instance{Name: "server0000000002", ID: "a", Revision: 2}, nil) {
		t.Error("the same again is news")
	}
	v.remove("server0000000001") // the hidden elder
	v.set(discovery.Instance{Name: "server0000000003", ID: "a", Revision: 3}, nil)
	v.remove("server0000000003") // came and went
	v.set(discovery.Instance{Name: "server0000000004", Revision: 4}, nil)
	v.remove("server0000000004")
	if v.build() {
		t.Errorf("news: %v", v.instances)
	}
}

func TestLife(t *testing.T) {
	now := life{czxid: 5, ctime: 7, pzxid: 9, cversion: 3}
	tests := []struct {
		next life
		want bool
	}{
		{now, true},
		{life{5, 7, 12, 8}, true},
		{life{6, 7, 12, 8}, false},
		{life{5, 8, 12, 8}, false}, // a wiped registry that reached the same number
		{life{5, 7, 8, 8}, false},  // restored from a backup
		{life{5, 7, 12, 2}, false},
	}
	for _, test := range tests {
		if got := test.next.continues(now); got != test.want {
			t.Errorf("%+v after %+v: got %v, want %v", test.next, now, got, test.want)
		}
	}
}

func TestChildName(t *testing.T) {
	tests := []struct{ dir, path, want string }{
		{"/", "/a", "a"},
		{"/", "/", ""},
		{"/", "/a/b", ""},
		{"/a", "/a/b", "b"},
		{"/a", "/a", ""},
		{"/a", "/a/b/c", ""},
		{"/a", "/ab", ""},
		{"/a", "/b/c", ""},
	}
	for _, test := range tests {
		if got := childName(test.dir, test.path); got != test.want {
			t.Errorf("childName(%q, %q): got %q, want %q", test.dir, test.path, got, test.want)
		}
		if test.want != "" && join(test.dir, test.want) != test.path {
			t.Errorf("join(%q, %q): got %q, want %q", test.dir, test.want, join(test.dir, test.want), test.path)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{rand: func() float64 { return 1 }}
	for n := range 100 {
		if got, want := b.next(), min(backoffMax, backoffMin<<min(n, 10)); got != want {
			t.Errorf("pause %d: got %v, want %v", n, got, want)
		}
	}
	b.reset()
	if got := b.next(); got != backoffMin {
		t.Errorf("after reset: got %v, want %v", got, backoffMin)
	}
	bounded := func(r uint16) bool {
		d := spread(1000, func() float64 { return float64(r) / (1 << 16) })
		return d >= 800 && d < 1200
	}
	if err := quick.Check(bounded, nil); err != nil {
		t.Error(err)
	}
}

func TestPerhapsDone(t *testing.T) {
	tests := []struct {
		err              error
		unanswered, done bool
	}{
		{nil, false, false},
		{&zk.Error{Sent: true, Err: zk.ErrNodeExists}, false, false},
		{&zk.Error{Sent: true, Err: zk.ErrConnectionLoss}, true, true},
		{&zk.Error{Sent: false, Err: zk.ErrClosed}, true, false},
		{&zk.Error{Sent: false, Err: zk.ErrQueueFull}, true, false},
		{zk.ErrConnectionLoss, true, true},
		{errors.New("other"), false, false},
	}
	for _, test := range tests {
		if got, want := [2]bool{unanswered(test.err), perhapsDone(test.err)}, [2]bool{test.unanswered, test.done}; got != want {
			t.Errorf("%v: got unanswered, perhaps done %v, want %v", test.err, got, want)
		}
	}
}
