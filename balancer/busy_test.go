// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// Of three servers one has a tenth of the workers and refuses what is beyond them: its
// few answers are as fast as any, and few calls are in flight there. At 0.95
// of what they can do together nearly all calls are answered at the first try.
func TestABusyServerIsLeftWhatItCan(t *testing.T) {
	list, calls, refused, slow := offer(OutcomeBusy)
	t.Logf("%d calls: %d refused, %d answered by the slow one", calls, refused, slow)
	if slow < calls/50 {
		t.Errorf("got %d of %d calls at the busy one, want about what it can", slow, calls)
	}
	if refused > calls/20 {
		t.Errorf("got %d of %d calls refused at the first try, want few", refused, calls)
	}
	if list[0].load.streak.Load() != 0 || list[0].load.bad.Load() != 0 {
		t.Error("a refusal counts as a failure")
	}
	_, calls, refused, _ = offer(OutcomeAbandoned)
	t.Logf("where a refusal tells nothing: %d of %d refused", refused, calls)
	if refused < calls/4 {
		t.Errorf("where a refusal tells nothing: got %d of %d calls refused, want many", refused, calls)
	}
}

// offer makes the calls, and returns how many there were, how many were refused at
// first, and how many the slow one answered. A refusal has that outcome.
func offer(refusal Outcome) (list []*Endpoint, calls, refused, slow int) {
	const workers, fast = 10, 10 * time.Millisecond // 1000 calls per second
	list = measured(repeat(100, 3)...)
	p := P2C.NewPicker(candidates(list), seeded(5))
	free := make([][workers]time.Duration, len(list)) // when each worker is
	var pending []ending
	gap := time.Second * 100 / (95 * 2100)
	for now := time.Duration(0); now < 60*time.Second; now += gap {
		slices.SortStableFunc(pending, func(a, b ending) int { return cmp.Compare(a.at, b.at) })
		for len(pending) > 0 && pending[0].at <= now {
			pending[0].endpoint.Finish(epoch.Add(pending[0].at), pending[0].latency, OutcomeAnswered)
			pending = pending[1:]
		}
		e := p.Pick(PickInfo{Now: epoch.Add(now)})
		calls++
		i := slices.Index(list, e)
		able := free[i][:]
		if i == 0 {
			able = able[:workers/10]
		}
		w := slices.Index(able, slices.Min(able))
		e.Start(epoch.Add(now))
		if i == 0 {
			if able[w] > now {
				refused++
				e.Finish(epoch.Add(now), 0, refusal)
				continue
			}
			slow++
		}
		end := max(able[w], now) + fast
		able[w] = end
		pending = append(pending, ending{end, end - now, e})
	}
	return list, calls, refused, slow
}

func TestBusyIsProportionalAndShort(t *testing.T) {
	e := measured(100)[0]
	for range 3 {
		call(e, 0, 1, OutcomeBusy)
	}
	few := e.load.busy(0)
	for range 10 {
		call(e, 0, 1, OutcomeBusy)
	}
	if many := e.load.busy(0); few < 0.2 || many < 2*few || many >= 1 {
		t.Errorf("after 3 and 13 refusals: %.2f and %.2f go elsewhere, want the more", few, many)
	}
	if later := e.load.busy(int64(30 * time.Second)); later > 0.01 || e.Wait(epoch) != 0 {
		t.Errorf("30 s later: %.2f, wait %v, want nothing", later, e.Wait(epoch))
	}
}
