// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

// judge fills a row with what was seen, and with what was promised and not kept.
// Every call has ended; a server that could still execute one has been continued
// and has answered since.
func (s *stage) judge(l *ledger, row *Row) error {
	executed, err := execlog.Read(s.log)
	if err != nil {
		return err
	}
	row.Calls, row.Shed = len(l.records), int(l.shed) //nolint:gosec // fewer than were begun
	row.Avoided, row.Right = millis(s.avoided), millis(s.right)
	faults := newFaults(s)
	var before, window load.Recorder
	struck := s.struck.Sub(l.epoch)
	// Healing disturbs as well: the window reaches at least to it.
	end := max(struck+s.cfg.Duration, s.healed.Sub(l.epoch))
	var longest time.Duration
	for i := range l.records {
		r := &l.records[i]
		longest = max(longest, r.took)
		switch {
		case !r.open: // its callers wait for a server that stalls, and so leave it out
		case r.begun >= struck && r.begun < end:
			window.Add(r.took)
		case r.begun >= struck/4 && r.begun+r.took < struck: // connections are warm by then
			before.Add(r.took)
		}
		faults.look(r, executed[r.id], row)
	}
	for i := range l.aside {
		r := &l.aside[i]
		faults.lookAside(r, executed[r.id], row)
	}
	row.Before, row.Window, row.LongestMS = newLatency(&before), newLatency(&window), ms(longest)
	if s.wrong != nil {
		faults.add("every list is right again", s.wrong.Error())
	}
	if longest > s.cfg.MaxWait {
		faults.add(fmt.Sprintf("no call lasts longer than %v", s.cfg.MaxWait), fmt.Sprintf("one lasted %v", longest.Round(time.Millisecond)))
	}
	if l.shed > 0 {
		faults.add("no call fails", fmt.Sprintf("%d could not be begun, too many were outstanding", l.shed))
	}
	row.Figures = s.figures
	for i := range s.figures {
		if f := &s.figures[i]; !f.kept() {
			faults.add(f.Name+": "+f.bound(), "it was "+number(f.Value))
		}
	}
	for _, b := range s.broken {
		faults.add(b.Promise, b.Example)
	}
	row.Broken = faults.list()
	return nil
}

// faults collects what was promised and not kept: how often, and one example.
type faults struct {
	putMay  rollcall.Executed
	victims map[string]bool
	count   map[string]int
	example map[string]string
}

func newFaults(s *stage) *faults {
	f := &faults{putMay: s.scenario.PutMay, victims: map[string]bool{}, count: map[string]int{}, example: map[string]string{}}
	for _, sv := range s.victims {
		f.victims[sv.addr] = true
	}
	return f
}

func (f *faults) add(promise, example string) {
	f.count[promise]++
	if f.count[promise] == 1 {
		f.example[promise] = example
	}
}

func (f *faults) list() []Broken {
	var list []Broken
	for _, promise := range slices.Sorted(maps.Keys(f.count)) {
		list = append(list, Broken{promise, f.count[promise], f.example[promise]})
	}
	return list
}

// lookAside asks of a call, which was executed so many times, only whether what is
// known of that is true.
func (f *faults) lookAside(r *record, executions int, row *Row) {
	if r.put && executions > 1 {
		row.Twice++
		f.add("no Put is executed twice", fmt.Sprintf("call %d was executed %d times", r.id, executions))
	}
	if r.outcome == nil {
		if executions == 0 {
			f.add("what was answered was executed", fmt.Sprintf("call %d was not", r.id))
		}
		return
	}
	text := r.outcome.Err.Error()
	switch e := r.outcome.Executed; {
	case e == rollcall.ExecutedNo && executions > 0:
		f.add("an error says truly that a call was not executed", text)
	case e == rollcall.ExecutedYes && executions == 0:
		f.add("an error says truly that a call was executed", text)
	}
}

// look is lookAside, and counts the call if it has failed.
func (f *faults) look(r *record, executions int, row *Row) {
	f.lookAside(r, executions, row)
	if r.outcome == nil {
		return
	}
	text := r.outcome.Err.Error()
	if !r.put {
		row.FailedGet++
		f.add("no Get fails", text)
		return
	}
	row.FailedPut++
	switch r.outcome.Executed {
	case rollcall.ExecutedNo:
		row.PutNo++
	case rollcall.ExecutedMaybe:
		row.PutMaybe++
	case rollcall.ExecutedYes:
		row.PutYes++
	}
	if r.outcome.Executed != f.putMay {
		f.add("a Put fails only "+allowed(f.putMay), text)
	} else if stranger := f.stranger(r.outcome.Suspects); stranger != "" {
		f.add("a Put fails only on a victim", stranger+": "+text)
	}
}

// stranger returns the first suspect that is no victim.
func (f *faults) stranger(suspects []string) string {
	for _, addr := range suspects {
		if !f.victims[addr] {
			return addr
		}
	}
	return ""
}

func allowed(e rollcall.Executed) string {
	switch e {
	case rollcall.ExecutedMaybe:
		return "as perhaps executed"
	case rollcall.ExecutedYes:
		return "with a server's own answer"
	default: // what was not executed is tried again
		return "never"
	}
}

func newLatency(r *load.Recorder) Latency {
	return Latency{int(r.Count()), ms(r.Quantile(0.5)), ms(r.Quantile(0.99)), ms(r.Max())} //nolint:gosec // of calls
}

// ms returns milliseconds with two digits.
func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func millis(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	v := ms(*d)
	return &v
}
