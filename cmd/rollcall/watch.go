// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A watcher prints a list and then every change of it. Its methods are called
// from one goroutine, the resolver's.
type watcher struct {
	*listCommand
	last  *discovery.Update // nil before the first list
	stale bool              // said that the registry does not answer
	err   error             // of a write
}

// run prints until ctx ends, which is how a watch succeeds.
func (w *watcher) run(ctx context.Context, resolver discovery.Resolver) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	impatient := time.AfterFunc(w.timeout.d, func() {
		fmt.Fprintf(w.stderr, "still waiting for the first list of %v\n", w.target)
	})
	defer impatient.Stop()
	err := resolver.Watch(ctx, func(u discovery.Update) {
		impatient.Stop()
		w.update(&u)
		if w.err != nil {
			stop()
		}
	})
	switch {
	case w.err != nil:
		return w.err
	case ctx.Err() == nil:
		return fmt.Errorf("%v: %w", w.target, err)
	}
	return nil
}

func (w *watcher) update(u *discovery.Update) {
	if !live(u) {
		w.unanswered(u)
		return
	}
	if w.stale {
		w.stale = false
		fmt.Fprintf(w.stderr, "%s the registry answers again\n", clock(time.Now()))
	}
	if w.last == nil {
		w.begin(u)
	} else {
		w.changes(u)
	}
	w.last = u
}

// unanswered tells once that the list is not live, and why.
func (w *watcher) unanswered(u *discovery.Update) {
	if w.stale || u.Err == nil {
		return
	}
	w.stale = true
	what := "waiting for the first list"
	if w.last != nil {
		what = "the list is that of " + clock(u.Confirmed)
	}
	how := "does not answer"
	if errors.Is(u.Err, zk.ErrNoAuth) {
		how = "does not permit to read the list"
	}
	fmt.Fprintf(w.stderr, "%s the registry of %v %s, %s: %s\n", clock(time.Now()), w.target, how, what, printable(u.Err.Error()))
}

// begin prints the first list.
func (w *watcher) begin(u *discovery.Update) {
	if w.output == formatTable {
		w.err = w.printTable(u)
		return
	}
	w.line(struct {
		Time  time.Time `json:"time"`
		Event string    `json:"event"`
		listJSON
	}{time.Now().UTC(), "list", w.document(u)})
}

// changes prints how u differs from the last list. A name stands for its
// content, but in a registry that was wiped names begin anew, so that the
// revision counts too. What operators order is no part of that content.
func (w *watcher) changes(u *discovery.Update) {
	type key struct {
		name     string
		revision int64
	}
	before, after := map[key]*discovery.Instance{}, map[key]bool{}
	for i := range w.last.Instances {
		in := &w.last.Instances[i]
		before[key{in.Name, in.Revision}] = in
	}
	for i := range u.Instances {
		after[key{u.Instances[i].Name, u.Instances[i].Revision}] = true
	}
	for i := range w.last.Instances {
		if in := &w.last.Instances[i]; !after[key{in.Name, in.Revision}] {
			w.change("-", "left", in)
		}
	}
	for i := range u.Instances {
		in := &u.Instances[i]
		switch was := before[key{in.Name, in.Revision}]; {
		case was == nil:
			w.change("+", "joined", in)
		case !was.Override.Equal(in.Override):
			w.change("~", "ordered", in)
		}
	}
	known := map[string]bool{}
	for _, s := range w.last.Skipped {
		known[s.Name] = true
	}
	for _, s := range u.Skipped {
		if !known[s.Name] {
			w.skipped(s)
		}
	}
}

func (w *watcher) change(sign, event string, in *discovery.Instance) {
	now := time.Now()
	if w.output == formatTable {
		w.printf("%s %s %s\n", clock(now), sign, oneLine(in))
		return
	}
	w.line(struct {
		Time     time.Time    `json:"time"`
		Event    string       `json:"event"`
		Instance instanceJSON `json:"instance"`
	}{now.UTC(), event, toJSON(in)})
}

func (w *watcher) skipped(s discovery.Skipped) {
	now := time.Now()
	if w.output == formatTable {
		w.printf("%s ! %s skipped: %s\n", clock(now), orDash(s.Name), orDash(s.Err.Error()))
		return
	}
	w.line(struct {
		Time  time.Time `json:"time"`
		Event string    `json:"event"`
		skippedJSON
	}{now.UTC(), "skipped", skippedToJSON([]discovery.Skipped{s})[0]})
}

func (w *watcher) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.stdout, format, args...)
	}
}

// line prints one JSON document on a line of its own.
func (w *watcher) line(v any) {
	if w.err == nil {
		w.err = json.NewEncoder(w.stdout).Encode(v)
	}
}

// clock returns the time of day.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }
