// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// TestRandomOperations runs random operations and checks after each what must
// hold whatever happened. A failure prints the seed.
func TestRandomOperations(t *testing.T) {
	ejecting := 0
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			f := newFuzzer(seed)
			for step := range 300 {
				f.step()
				if t.Failed() {
					t.Fatalf("after %d steps: %s", step, f.log)
				}
				f.check(t)
			}
			if f.sawEjected {
				ejecting++
			}
		})
	}
	if ejecting < 50 {
		t.Errorf("somebody was ejected in %d of 150 runs, want most", ejecting)
	}
}

// A fuzzer drives a Roster with a pool of instances.
type fuzzer struct {
	rnd      *rand.Rand
	now      time.Time
	roster   *Roster
	list     []discovery.Instance
	revision int64
	attached map[any]bool // owners not yet detached
	owners   int
	misuse   string
	probing  []*Endpoint
	seen     []*Endpoint // every endpoint ever, also forgotten ones
	before   *Snapshot
	copied   []EndpointState
	log      string

	longest    int // list so far
	ejected    int // now
	sawEjected bool
}

func newFuzzer(seed uint64) *fuzzer {
	f := &fuzzer{rnd: rand.New(rand.NewPCG(seed, 1)), now: epoch, attached: make(map[any]bool)}
	policy := policies[seed%3]
	if seed%64 == 15 { // it takes its time for each list
		policy = RingHash
	}
	f.roster = NewRoster(Options{
		Policy:    policy,
		Rand:      f.rnd.Float64,
		LingerFor: 3 * time.Second,
		SlowStart: 4 * time.Second,
		EjectFor:  time.Second,
		DrainFor:  2 * time.Second,
	}, Hooks{
		Supported: func(in *discovery.Instance) bool { return len(in.Protocols) == 0 },
		Attach: func(*Endpoint) any {
			f.owners++
			f.attached[f.owners] = true
			return f.owners
		},
		Detach: func(e *Endpoint) {
			if !f.attached[e.Owner] {
				f.misuse = fmt.Sprintf("detach of %v, which is not attached", e.Owner)
			}
			delete(f.attached, e.Owner)
		},
	})
	return f
}

// instance makes a new entry of one of a few instances, some without ID.
func (f *fuzzer) instance() discovery.Instance {
	f.revision++
	in := discovery.Instance{
		Name:     fmt.Sprint("server", f.revision),
		Host:     fmt.Sprint("host", f.rnd.IntN(8)),
		Port:     1 + f.rnd.IntN(2),
		Weight:   []int{0, 1, 100, 100, 100}[f.rnd.IntN(5)],
		Revision: f.revision,
	}
	if f.rnd.IntN(2) == 0 {
		in.Registered = epoch.Add(time.Hour).Add(f.now.Sub(epoch))
	}
	if f.rnd.IntN(3) > 0 {
		in.ID = fmt.Sprint("id", in.Host)
	}
	if f.rnd.IntN(8) == 0 {
		in.Protocols = []string{"other"}
	}
	return in
}

// endpoint returns any endpoint, most often a known one, or nil.
func (f *fuzzer) endpoint() *Endpoint {
	if len(f.seen) == 0 || f.rnd.IntN(20) == 0 {
		return nil
	}
	if known := f.roster.Snapshot().Endpoints; len(known) > 0 && f.rnd.IntN(4) > 0 {
		return known[f.rnd.IntN(len(known))].Endpoint
	}
	return f.seen[f.rnd.IntN(len(f.seen))]
}

func (f *fuzzer) step() {
	f.now = f.now.Add(time.Duration(f.rnd.Int64N(int64(300 * time.Millisecond))))
	f.call()
	switch op := f.rnd.IntN(12); op {
	case 0, 1:
		f.log = "join"
		f.list = append(slices.Clip(f.list), f.instance())
		f.send(discovery.SourceLive)
	case 2:
		f.log = "leave"
		if len(f.list) > 0 {
			i := f.rnd.IntN(len(f.list))
			f.list = slices.Delete(slices.Clone(f.list), i, i+1)
		}
		f.send(discovery.SourceLive)
	case 3:
		if f.log = "weight"; len(f.list) > 0 {
			f.list = slices.Clone(f.list)
			i := f.rnd.IntN(len(f.list))
			f.list[i] = f.list[i].Overridden(f.override())
		}
		f.send(discovery.SourceStale)
	case 4:
		if f.log = "wipe"; f.rnd.IntN(4) == 0 {
			f.list = nil
			f.send(discovery.SourceLive)
		}
	case 5:
		e := f.endpoint()
		f.log = fmt.Sprintf("drain %+v", e)
		id := ""
		if e != nil && f.rnd.IntN(2) == 0 {
			id = e.Instance.ID
		}
		f.roster.Draining(f.now, id, e)
	case 6:
		e := f.endpoint()
		f.log = fmt.Sprintf("recover %+v", e)
		f.roster.Recovered(f.now, e)
	case 7, 8:
		e := f.endpoint()
		f.log = fmt.Sprintf("fail %+v", e)
		f.roster.Failed(f.now, e, f.rnd.IntN(2) == 0)
	case 9:
		e := f.endpoint()
		f.log = fmt.Sprintf("silent %+v", e)
		f.roster.Silent(f.now, e, f.rnd.IntN(2) == 0)
	case 10:
		e := f.endpoint()
		f.log = fmt.Sprintf("left %+v", e)
		f.roster.Left(f.now, e)
	default:
		f.log = "tick"
		for _, e := range f.probing {
			if f.rnd.IntN(2) == 0 {
				f.roster.Failed(f.now, e, true)
			} else {
				f.roster.Probed(f.now, e)
			}
		}
		f.roster.Tick(f.now)
		f.probing = f.roster.Probes(f.now)
		if due, ok := f.roster.Next(f.now); ok && !due.After(f.now) {
			f.misuse = fmt.Sprintf("after Tick and Probes the next is due %v ago", f.now.Sub(due))
		}
	}
}

// call makes some attempts, on one that is no longer known as well, and has the
// roster look at them as a client does.
func (f *fuzzer) call() {
	for range f.rnd.IntN(8) {
		e := f.roster.Snapshot().Picker.Pick(PickInfo{Now: f.now, Hash: f.rnd.Uint64N(4)})
		if f.rnd.IntN(4) == 0 {
			e = f.endpoint()
		}
		if e == nil {
			return
		}
		e.Start(f.now)
		latency := time.Duration(f.rnd.Int64N(int64(100 * time.Millisecond)))
		outcome := OutcomeAnswered
		if int(f.now.Unix()/8)%4 == int(e.Instance.Host[4]-'0')/2 || f.rnd.IntN(4) == 0 {
			latency, outcome = 20*latency, Outcome(1+f.rnd.IntN(4))
		}
		if e.Finish(f.now, latency, outcome) {
			f.roster.Tick(f.now)
		}
	}
}

// override returns an order of operators, or none.
func (f *fuzzer) override() *discovery.Override {
	o := new(discovery.Override)
	if f.rnd.IntN(2) == 0 {
		o.Weight = &discovery.WeightOrder{Value: f.rnd.IntN(3)}
	}
	if f.rnd.IntN(3) == 0 {
		o.Drain = new(discovery.Order)
	}
	return o
}

func (f *fuzzer) send(source discovery.Source) {
	f.longest = max(f.longest, len(f.list))
	f.roster.Update(f.now, discovery.Update{Instances: f.list, Source: source, Confirmed: f.now})
}

func (f *fuzzer) check(t *testing.T) {
	t.Helper()
	if f.misuse != "" {
		t.Error(f.misuse)
	}
	if f.before != nil && !slices.Equal(f.before.Endpoints, f.copied) {
		t.Error("an earlier snapshot has changed")
	}
	s := f.roster.Snapshot()
	if again := f.roster.Snapshot(); again != s {
		t.Error("without a change: got another snapshot")
	}
	f.before, f.copied = s, slices.Clone(s.Endpoints)
	f.checkEndpoints(t, s)
	f.checkCounts(t, s)
	checkPicks(t, s)
	f.checkAnew(t, s)
	if t.Failed() {
		t.Fatalf("after %s: %v", f.log, s.Counts)
	}
}

// checkEndpoints checks that exactly those that are listed, linger or leave are known,
// each with an owner of its own.
func (f *fuzzer) checkEndpoints(t *testing.T, s *Snapshot) {
	t.Helper()
	listed := make(map[key]discovery.Instance)
	for _, in := range f.list {
		listed[keyOf(&in)] = in
	}
	full := false
	owners := make(map[any]bool)
	for _, es := range s.Endpoints {
		f.seen = append(f.seen, es.Endpoint)
		owners[es.Endpoint.Owner] = true
		k := keyOf(&es.Endpoint.Instance)
		want, ok := listed[k]
		delete(listed, k)
		if full = full || es.Weight == float64(want.Weight); es.Weight < 0.0999*float64(want.Weight) || (ok && es.Weight > float64(want.Weight)) {
			t.Errorf("%v: weight: got %v, want a tenth of %d to all of it", k, es.Weight, want.Weight)
		}
		if (es.Ejection != nil) != (es.State == StateEjected) || (es.Ejection != nil && es.Ejection.Times < 1) {
			t.Errorf("%v is %v: got ejection %v", k, es.State, es.Ejection)
		}
		if ok == (es.State == StateLingering || es.State == StateLeaving) {
			t.Errorf("%v: got %v, listed: %v", k, es.State, ok)
		}
		if ok && !sameInstance(&es.Endpoint.Instance, &want) {
			t.Errorf("%v: got %v, want %v", k, es.Endpoint.Instance, want)
		}
	}
	if s.Counts.Usable > 0 && !full {
		t.Error("weights: got less than its own for each, want them relative to the grown")
	}
	if most := max(1, (s.Counts.Listed+s.Counts.Lingering)/10); s.Counts.Ejected > most && s.Counts.Ejected > f.ejected {
		t.Errorf("got %d ejected, want %d at most", s.Counts.Ejected, most)
	}
	f.ejected = s.Counts.Ejected
	f.sawEjected = f.sawEjected || f.ejected > 0
	if len(listed) > 0 {
		t.Errorf("listed and not known: %v", listed)
	}
	if !maps.Equal(owners, f.attached) || len(owners) != len(s.Endpoints) {
		t.Errorf("owners of %d endpoints: got %v, want %v", len(s.Endpoints), owners, f.attached)
	}
}

func (f *fuzzer) checkCounts(t *testing.T, s *Snapshot) {
	t.Helper()
	var want Counts
	n := make(map[State]int)
	for _, es := range s.Endpoints {
		n[es.State]++
	}
	want.Usable, want.SetAside, want.Ejected, want.Lingering = n[StateUsable], n[StateSetAside], n[StateEjected], n[StateLingering]
	want.Draining, want.Drained, want.Disabled, want.Unsupported = n[StateDraining], n[StateDrained], n[StateDisabled], n[StateUnsupported]
	want.Leaving = n[StateLeaving]
	want.Listed = len(s.Endpoints) - want.Lingering - want.Leaving
	if s.Counts != want {
		t.Errorf("counts: got %+v, want %+v", s.Counts, want)
	}
	members := want.Usable + want.SetAside + want.Ejected
	for _, es := range s.Endpoints {
		if es.State == StateLingering && !f.roster.size.whole && !es.Endpoint.slot.replaced {
			members++
		}
	}
	if want.Lingering > f.longest {
		t.Errorf("got %d lingering, want at most as many as the list has held, %d", want.Lingering, f.longest)
	}
	if got, want := s.Panic, 2*want.Usable < members; got != want {
		t.Errorf("panic: got %v, want %v with %v", got, want, s.Counts)
	}
}

// checkPicks lets one call fail on everybody, one after the other.
func checkPicks(t *testing.T, s *Snapshot) {
	t.Helper()
	left := make(map[*Endpoint]State)
	n := make(map[State]int)
	for _, es := range s.Endpoints {
		if es.State != StateDrained && es.State != StateDisabled && es.State != StateUnsupported {
			left[es.Endpoint] = es.State
			n[es.State]++
		}
	}
	usable := n[StateUsable] > 0
	var tried []*Endpoint
	for range len(s.Endpoints) + 1 {
		e := s.Picker.Pick(PickInfo{Tried: tried})
		if e == nil {
			break
		}
		state, ok := left[e]
		switch {
		case !ok:
			t.Fatalf("pick %d: got %v, tried before or never to be picked", len(tried), e.Instance)
		case (state == StateDraining || state == StateLeaving) && n[StateUsable]+n[StateLingering]+n[StateSetAside]+n[StateEjected] > 0 && !usable:
			t.Errorf("pick %d: got a draining one, with members left: %v", len(tried), n)
		case state != StateUsable && n[StateUsable] > 0 && !s.Panic:
			t.Errorf("pick %d: got one that is %v, with usable ones left: %v", len(tried), state, n)
		}
		delete(left, e)
		n[state]--
		tried = append(tried, e)
	}
	for e, state := range left {
		// Only those whose dial failed are left out, while somebody serves.
		if !usable || !e.slot.refused || state == StateDraining || state == StateLeaving || state == StateUsable {
			t.Errorf("never picked: %v, which is %v", e.Instance, state)
		}
	}
}
