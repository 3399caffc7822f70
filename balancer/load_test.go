// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"testing"
	"time"
	"unsafe"
)

// A call on an endpoint, begun at a second and ended after latency.
func call(e *Endpoint, second int, latency time.Duration, o Outcome) bool {
	begun := epoch.Add(time.Duration(second) * time.Second)
	e.Start(begun)
	return e.Finish(begun.Add(latency), latency, o)
}

func TestLoadFillsCacheLines(t *testing.T) {
	var l load
	if hot, n := unsafe.Offsetof(l.doubt), unsafe.Sizeof(l); unsafe.Sizeof(uintptr(0)) == 8 && (hot != 64 || n != 128) {
		t.Errorf("got %d bytes, of which every call writes %d, want two lines and one", n, hot)
	}
}

func TestLatency(t *testing.T) {
	e := measured(100)[0]
	e.Start(epoch)
	call(e, 0, 80*time.Millisecond, OutcomeAnswered)
	if got := e.Latency(); got != 80*time.Millisecond {
		t.Errorf("latency of one call: got %v, want 80ms", got)
	}
	call(e, 0, 160*time.Millisecond, OutcomeAnswered)
	if got := e.Latency(); got != 90*time.Millisecond {
		t.Errorf("latency of 80 ms and 160 ms: got %v, want 90ms", got)
	}
	call(e, 0, time.Hour, OutcomeLost)
	call(e, 0, time.Nanosecond, OutcomeError)
	call(e, 0, time.Nanosecond, OutcomeAbandoned)
	if got := e.Latency(); got != 90*time.Millisecond || e.InFlight() != 1 {
		t.Errorf("after failures: got %v and %d in flight, want 90ms and 1", got, e.InFlight())
	}
	call(e, 0, 170*time.Millisecond, OutcomeAbandoned)
	if got := e.Latency(); got != 100*time.Millisecond {
		t.Errorf("after a call given up after 170 ms: got %v, want 100ms", got)
	}
	var alone Endpoint // made by hand, as in the test of a policy
	if again := call(&alone, 0, time.Second, OutcomeLost); again || alone.InFlight() != 0 || alone.Latency() != 0 {
		t.Errorf("without a roster: got %v, %d, %v, want nothing", again, alone.InFlight(), alone.Latency())
	}
}

func TestPeakAndSilence(t *testing.T) {
	const ms, s = int64(time.Millisecond), int64(time.Second)
	e := measured(100)[0]
	expect := func(what string, at int64, want time.Duration) {
		t.Helper()
		if got := max(e.load.fadedPeak(at), e.load.silence(at)); (got - want).Abs() > want/100 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	expect("before any call", 0, 0)
	call(e, 0, 80*time.Millisecond, OutcomeAnswered)
	expect("after one call", 80*ms, 80*time.Millisecond)
	call(e, 1, 800*time.Millisecond, OutcomeAnswered)
	expect("after a slow call: its time", 1800*ms, 800*time.Millisecond)
	call(e, 1, 80*time.Millisecond, OutcomeAnswered)
	expect("after a fast one: an eighth of the way", 1080*ms, 710*time.Millisecond)
	expect("after half the time of halving", 1080*ms+1<<(peakHalving-1), 532500*time.Microsecond)
	expect("after the time of halving", 1080*ms+1<<peakHalving, 355*time.Millisecond)
	expect("after three", 1080*ms+3<<peakHalving, 88750*time.Microsecond)
	expect("after a day", 24*3600*s, 0)
	expect("on a clock that is behind", 0, 710*time.Millisecond)
	call(e, 1, time.Millisecond, OutcomeError)
	expect("after a fast failure: the double", 1080*ms, 1420*time.Millisecond)
	e.Start(epoch.Add(20 * time.Second))
	expect("with a call that has heard nothing for 5 s", 25*s, 5*time.Second)
	for range 100 {
		call(e, 25, 0, OutcomeLost)
	}
	expect("after many failures: the bound", 25*s, peakMax)
}

// What was never sent says nothing of how long an answer takes; above all it does not
// make one that nobody knows look fast.
func TestUnsentIsNoSample(t *testing.T) {
	for _, o := range []Outcome{OutcomeLost, OutcomeAbandoned} {
		e := measured(100)[0]
		call(e, 0, 0, o)
		if got := e.Wait(epoch); got != 0 || e.Latency() != 0 {
			t.Errorf("outcome %d, never sent: got a wait of %v, a latency of %v, want nothing known", o, got, e.Latency())
		}
		answered(e, 10*time.Millisecond, 1)
		call(e, 0, 0, o)
		want := map[Outcome]time.Duration{OutcomeLost: 20 * time.Millisecond, OutcomeAbandoned: 10 * time.Millisecond}[o]
		if got := e.Wait(epoch); got != want || e.Latency() != 10*time.Millisecond {
			t.Errorf("outcome %d after 10 ms: got a wait of %v, a latency of %v, want %v and 10ms", o, got, e.Latency(), want)
		}
	}
}

func TestFinishAsksForAReview(t *testing.T) {
	list := measured(100, 100)
	e, w := list[0], list[0].load.watch
	w.next.Store(int64(10 * time.Second))
	for n := 1; n <= DefaultEjectAfter; n++ {
		if got := call(e, 0, 1, OutcomeLost); got != (n == DefaultEjectAfter) {
			t.Errorf("failure %d in a row: got %v", n, got)
		}
	}
	for range DefaultEjectAfter {
		if call(list[1], 0, 1, OutcomeError) {
			t.Error("with a review asked for: asked again")
		}
	}
	w.asked.Store(false)
	for _, o := range []Outcome{OutcomeError, OutcomeError, OutcomeError, OutcomeError, OutcomeAnswered, OutcomeError} {
		if call(e, 0, 1, o) {
			t.Errorf("an answer between failures: asked for a review after %v", o)
		}
	}
	e.load.trial.Store(true)
	if !call(e, 0, 1, OutcomeError) {
		t.Error("one failure of one that is on trial: got false, want true")
	}
	w.asked.Store(false)
	if call(list[1], 9, 1, OutcomeAnswered) || !call(list[1], 10, 1, OutcomeAnswered) {
		t.Error("an answer before and after the next review is due: want false, true")
	}
}
