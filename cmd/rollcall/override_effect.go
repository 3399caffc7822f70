// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
)

// An effect is what a change of orders does to the instances of a service.
type effect struct {
	rows []effectRow // the listed ones, then those that only the orders know
}

// An effectRow is one instance.
type effectRow struct {
	before, after discovery.Instance
	listed        bool
	meant         bool // by the command
}

// newEffect returns the effect of no change.
func newEffect(list []discovery.Instance, all *layout.Overrides) *effect {
	e := new(effect)
	listed := map[layout.OverrideKey]bool{}
	for _, in := range list {
		key := layout.OverrideKeyOf(&in)
		listed[key] = true
		in = in.Overridden(all.For(key))
		e.rows = append(e.rows, effectRow{before: in, after: in, listed: true})
	}
	for _, in := range all.All() {
		if !listed[layout.OverrideKeyOf(&in)] {
			in = in.Overridden(in.Override) // what its server states is not known
			e.rows = append(e.rows, effectRow{before: in, after: in})
		}
	}
	return e
}

// put changes the orders for one instance.
func (e *effect) put(i int, o *discovery.Override, all *layout.Overrides) {
	row := &e.rows[i]
	row.meant, row.after = true, row.before.Overridden(o)
	all.Put(row.after)
}

// forgotten reports whether the instance is not listed and nobody has given an
// order for it for so long. An order that tells no time is as old as any.
func (r *effectRow) forgotten(age time.Duration) bool {
	o := r.before.Override
	if r.listed || o == nil {
		return false
	}
	limit := time.Now().Add(-age)
	return (o.Drain == nil || o.Drain.At.Before(limit)) && (o.Weight == nil || o.Weight.At.Before(limit))
}

// getsCalls reports whether an instance is to be picked, as far as its list and
// its orders tell.
func getsCalls(in *discovery.Instance) bool { return !in.Drained() && in.Weight > 0 }

// serving returns how many listed instances get calls before and after.
func (e *effect) serving() (before, after int) {
	for i := range e.rows {
		r := &e.rows[i]
		if r.listed && getsCalls(&r.before) {
			before++
		}
		if r.listed && getsCalls(&r.after) {
			after++
		}
	}
	return before, after
}

// An effectJSON is the document of -o json.
type effectJSON struct {
	Target    string          `json:"target"`
	Instances []effectRowJSON `json:"instances"` // those that were meant
	Listed    int             `json:"listed"`
	Before    int             `json:"get_calls_before"` // of those that are listed
	After     int             `json:"get_calls_after"`
}

type effectRowJSON struct {
	Entry   string    `json:"entry"` // empty: not listed
	Address string    `json:"address"`
	ID      string    `json:"id"`
	Before  stateJSON `json:"before"`
	After   stateJSON `json:"after"`
}

// A stateJSON is what the orders make of an instance. Share is its part of the
// calls, by weight, from 0 to 1.
type stateJSON struct {
	Weight   int           `json:"weight"`
	Share    float64       `json:"share"`
	Override *overrideJSON `json:"override"`
}

func (e *effect) document(target string) effectJSON {
	doc := effectJSON{Target: target, Instances: []effectRowJSON{}}
	doc.Before, doc.After = e.serving()
	var before, after float64 // the sums of the weights
	for i := range e.rows {
		if r := &e.rows[i]; r.listed {
			doc.Listed++
			before += float64(weighing(&r.before))
			after += float64(weighing(&r.after))
		}
	}
	for i := range e.rows {
		r := &e.rows[i]
		if !r.meant {
			continue
		}
		row := effectRowJSON{
			Entry: r.before.Name, ID: r.before.ID,
			Before: stateJSON{Weight: r.before.Weight, Override: overrideToJSON(r.before.Override)},
			After:  stateJSON{Weight: r.after.Weight, Override: overrideToJSON(r.after.Override)},
		}
		if r.before.Host != "" {
			row.Address = r.before.Addr()
		}
		if r.listed {
			row.Before.Share = float64(weighing(&r.before)) / max(before, 1)
			row.After.Share = float64(weighing(&r.after)) / max(after, 1)
		}
		doc.Instances = append(doc.Instances, row)
	}
	return doc
}

// weighing is the weight of an instance among those that get calls.
func weighing(in *discovery.Instance) int {
	if getsCalls(in) {
		return in.Weight
	}
	return 0
}

func (doc *effectJSON) printTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tADDRESS\tID\tBEFORE\tAFTER")
	for _, row := range doc.Instances {
		listed := row.Entry != ""
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", orDash(row.Entry), orDash(row.Address), orDash(row.ID),
			row.Before.cell(listed), row.After.cell(listed))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d instances get calls, %d before\n", doc.After, doc.Listed, doc.Before)
	return err
}

// cell tells a state in words.
func (s *stateJSON) cell(listed bool) string {
	var words []string
	if listed || s.Override != nil && s.Override.Weight != nil {
		words = append(words, fmt.Sprintf("weight %d", s.Weight))
	}
	if s.Override != nil && s.Override.Drain != nil {
		words = append(words, "drained")
	}
	if listed {
		words = append(words, fmt.Sprintf("%.3g%% of calls", 100*s.Share))
	}
	return orDash(strings.Join(words, ", "))
}
