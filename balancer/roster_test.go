// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestSameInstanceKnowsEveryField(t *testing.T) {
	// An entry that differs in a field that is not compared would go unnoticed.
	typ := reflect.TypeFor[discovery.Instance]()
	for i := range typ.NumField() {
		var a, b discovery.Instance
		field := reflect.ValueOf(&b).Elem().Field(i)
		switch v := field.Addr().Interface().(type) {
		case *string:
			*v = "x"
		case *int:
			*v = 1
		case *int64:
			*v = 1
		case *bool:
			*v = true
		case *[]string:
			*v = []string{"x"}
		case *map[string]string:
			*v = map[string]string{"x": ""}
		case *time.Time:
			*v = epoch
		case **discovery.Override:
			*v = new(discovery.Override)
		default:
			t.Fatalf("field %s: type %v is not known here", typ.Field(i).Name, field.Type())
		}
		if sameInstance(&a, &b) {
			t.Errorf("instances that differ in %s: got the same, want different", typ.Field(i).Name)
		}
	}
}

func TestEndpointSurvivesWhatDoesNotChangeIt(t *testing.T) {
	r := NewRoster(Options{}, Hooks{Attach: func(*Endpoint) any { return "conn" }})
	list := func(weight int, revision int64) *Endpoint {
		in := discovery.Instance{ID: "a", Name: "a", Host: "h", Port: 1, Weight: weight, Revision: revision}
		r.Update(epoch, discovery.Update{Instances: []discovery.Instance{in}, Source: discovery.SourceLive})
		return r.Snapshot().Endpoints[0].Endpoint
	}
	first := list(100, 1)
	first.Start(epoch)
	if again := list(100, 1); again != first {
		t.Error("the same entry: got another endpoint")
	}
	r.Failed(epoch, first, true)
	if again := r.Snapshot().Endpoints[0].Endpoint; again != first {
		t.Error("after a failure: got another endpoint")
	}
	second := list(50, 1)
	if second == first || second.Owner != "conn" || second.InFlight() != 1 || first.Instance.Weight != 100 {
		t.Errorf("another weight: got %+v, want a new endpoint with the owner and the load", second)
	}
	if got := r.Snapshot().Endpoints[0].State; got != StateSetAside {
		t.Errorf("after another weight: got %v, want %v", got, StateSetAside)
	}
	third := list(50, 2)
	if got := r.Snapshot().Endpoints[0].State; got != StateUsable || third.Owner != "conn" {
		t.Errorf("a younger entry: got %v with %v, want %v with its owner", got, third.Owner, StateUsable)
	}
	// A failure reported for an earlier endpoint means the slot.
	r.Failed(epoch, first, false)
	if got := r.Snapshot().Endpoints[0].State; got != StateSetAside {
		t.Errorf("after a failure of the earlier endpoint: got %v, want %v", got, StateSetAside)
	}
}

func TestWeightCountsAtOnce(t *testing.T) {
	for _, policy := range policies {
		r := NewRoster(Options{Policy: policy, Rand: seeded(1)}, Hooks{Attach: func(e *Endpoint) any { return e.Instance.Host }})
		list := make([]discovery.Instance, 10)
		for i := range list {
			list[i] = discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: 100}
		}
		picks := func(weight *int) int {
			changed := slices.Clone(list)
			if weight != nil {
				changed[0] = list[0].Overridden(&discovery.Override{Weight: &discovery.WeightOrder{Value: *weight}})
			}
			r.Update(epoch, discovery.Update{Instances: changed, Source: discovery.SourceLive})
			n := 0
			for range 10_000 {
				if r.Snapshot().Picker.Pick(PickInfo{}).Owner == "h0" {
					n++
				}
			}
			return n
		}
		for _, tt := range []struct{ weight, least, most int }{{300, 2000, 3000}, {0, 0, 0}, {1, 1, 80}} {
			if n := picks(&tt.weight); n < tt.least || n > tt.most {
				t.Errorf("%s: weight %d of 900 more: got %d of 10000 picks, want %d to %d", policy.Name(), tt.weight, n, tt.least, tt.most)
			}
		}
		if n := picks(nil); n < 600 || n > 1400 {
			t.Errorf("%s: the order taken back: got %d of 10000 picks, want about 1000", policy.Name(), n)
		}
	}
}

func TestNegativeMeansOff(t *testing.T) {
	r := NewRoster(Options{SlowStart: -1, EjectFor: -1}, Hooks{})
	u := discovery.Update{Source: discovery.SourceLive}
	for i := range 3 {
		u.Instances = append(u.Instances, discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: 1, Registered: epoch})
		r.Update(epoch, u)
	}
	e := r.Snapshot().Endpoints[2].Endpoint
	for range 50 {
		e.Start(epoch)
		e.Finish(epoch, time.Second, OutcomeError)
	}
	r.Tick(epoch.Add(time.Minute))
	for _, es := range r.Snapshot().Endpoints {
		if es.State != StateUsable || es.Weight != 1 {
			t.Errorf("%v: got %v with weight %v, want usable with 1", es.Endpoint.Instance, es.State, es.Weight)
		}
	}
	if next, ok := r.Next(epoch.Add(time.Minute)); ok {
		t.Errorf("next: got %v, want nothing", next)
	}
}

func TestRegistryClock(t *testing.T) {
	var c registryClock
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	c.observe(at(1000), at(1))
	c.observe(at(1010), at(21)) // 10 s old when it was seen
	if got := c.now(at(31)); !got.Equal(at(1030)) {
		t.Errorf("after an entry that says less: got %v, want %v", got, at(1030))
	}
	c.observe(at(1050), at(31))
	if got := c.now(at(32)); !got.Equal(at(1051)) {
		t.Errorf("after an entry that says more: got %v, want %v", got, at(1051))
	}
}

func TestStrangersAreIgnored(t *testing.T) {
	r, other := NewRoster(Options{}, Hooks{}), NewRoster(Options{}, Hooks{})
	u := discovery.Update{Instances: []discovery.Instance{{Name: "a", Host: "h", Port: 1, Weight: 1}}, Source: discovery.SourceLive}
	r.Update(epoch, u)
	other.Update(epoch, u)
	before := r.Snapshot()
	for _, e := range []*Endpoint{nil, {}, other.Snapshot().Endpoints[0].Endpoint} {
		r.Failed(epoch, e, true)
		r.Recovered(epoch, e)
		r.Draining(epoch, "", e)
	}
	r.Draining(epoch, "unknown", nil)
	if r.Snapshot() != before {
		t.Errorf("after reports about strangers: got %v, want no change", r.Snapshot().Counts)
	}
}

func TestSnapshotKeepsThePicker(t *testing.T) {
	r := NewRoster(Options{Policy: RoundRobin, Rand: func() float64 { return 1 }}, Hooks{})
	if got := r.Snapshot().Picker.Pick(PickInfo{}); got != nil {
		t.Errorf("before any list: got %v, want nil", got)
	}
	u := discovery.Update{Source: discovery.SourceLive, Confirmed: epoch}
	for i := range 4 {
		u.Instances = append(u.Instances, discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: 1})
	}
	r.Update(epoch, u)
	first := r.Snapshot()
	u.Confirmed, u.Source, u.Err = epoch.Add(time.Second), discovery.SourceStale, errors.New("gone")
	u.Skipped = make([]discovery.Skipped, 2)
	r.Update(epoch, u)
	second := r.Snapshot()
	if second == first || !second.Confirmed.Equal(u.Confirmed) || !errors.Is(second.Err, u.Err) ||
		second.Source != u.Source || second.Counts.Skipped != 2 {
		t.Errorf("after another update: got %+v, want its source, time and error", second)
	}
	if second.Picker != first.Picker {
		t.Error("with the same candidates: got another picker")
	}
	r.Failed(epoch, first.Endpoints[0].Endpoint, true)
	third := r.Snapshot()
	if third.Picker == first.Picker {
		t.Error("with other candidates: got the same picker")
	}
	r.Failed(epoch, first.Endpoints[0].Endpoint, true)
	if r.Snapshot() != third {
		t.Error("after a failure within the pause: got another snapshot")
	}
}

func TestNegativeDurations(t *testing.T) {
	r := NewRoster(Options{LingerFor: -1, DrainFor: -1}, Hooks{})
	r.Update(epoch, discovery.Update{Instances: []discovery.Instance{{Name: "a", Host: "h", Port: 1, Weight: 1}}})
	r.Draining(epoch, "", r.Snapshot().Endpoints[0].Endpoint)
	if got, want := r.Snapshot().Counts, (Counts{Listed: 1, Usable: 1}); got != want {
		t.Errorf("after draining: got %v, want %v", got, want)
	}
	r.Update(epoch, discovery.Update{})
	if got, want := r.Snapshot().Counts, (Counts{}); got != want {
		t.Errorf("after leaving: got %v, want %v", got, want)
	}
}

func TestPauseIsJitteredBelowItsBound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := NewRoster(Options{Rand: rnd.Float64, BackoffMin: time.Second, BackoffMax: 3 * time.Second}, Hooks{})
	for strikes, bound := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		var least, most, sum time.Duration = bound, 0, 0
		for range 1000 {
			p := r.pause(strikes)
			least, most, sum = min(least, p), max(most, p), sum+p
		}
		if mean := sum / 1000; least > bound/50 || most >= bound || most < bound*49/50 || (mean-bound/2).Abs() > bound/20 {
			t.Errorf("pause after %d failures: got %v to %v, mean %v; want it uniform below %v", strikes, least, most, mean, bound)
		}
	}
	if got := r.pause(1 << 30); got > 3*time.Second {
		t.Errorf("pause after very many failures: got %v, want at most 3s", got)
	}
}

// A service whose only server was restarted was found after up to 5 s, however many
// waited for it. Where others are usable, or wait too, there is no such hurry.
func TestPausesWhereNobodyIsUsable(t *testing.T) {
	for _, tt := range []struct {
		aside, usable int
		most          time.Duration // of a pause once it has grown
	}{{1, 0, time.Second}, {2, 0, 2 * time.Second}, {20, 0, DefaultBackoffMax}, {1, 1, DefaultBackoffMax}} {
		r := NewRoster(Options{Rand: func() float64 { return 0.99 }}, Hooks{})
		u := discovery.Update{Source: discovery.SourceLive}
		for i := range tt.aside + tt.usable {
			u.Instances = append(u.Instances, discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: 1})
		}
		now := epoch
		r.Update(now, u)
		for _, e := range r.Snapshot().Endpoints[:tt.aside] {
			r.Failed(now, e.Endpoint, true)
		}
		var longest time.Duration
		for range 12 * tt.aside {
			next, ok := r.Next(now)
			if !ok {
				t.Fatalf("%+v: nothing is due", tt)
			}
			now = next
			r.Tick(now)
			for _, e := range r.Probes(now) {
				r.Failed(now, e, true)
				for _, s := range r.Snapshot().Endpoints {
					if s.Endpoint == e {
						longest = max(longest, s.Until.Sub(now))
					}
				}
			}
		}
		if want := tt.most * 99 / 100; longest < want*4/5 || longest > want {
			t.Errorf("%+v: the longest pause is %v, want %v", tt, longest, want)
		}
		// Whoever is left alone by one that was usable is probed soon, too.
		if tt.usable == 1 {
			u.Instances[1].Weight = 0
			r.Update(now, u)
			if until := r.Snapshot().Endpoints[0].Until; until.Sub(now) > time.Second {
				t.Errorf("after the usable one was disabled: %v until the probe, want a second at most", until.Sub(now))
			}
		}
	}
}
