// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Report is what came of a run.
type Report struct {
	Seed uint64 `json:"seed"`
	Rows []Row  `json:"scenarios"`
}

// A Row is what came of one scenario.
type Row struct {
	Scenario string `json:"scenario"`
	Skipped  string `json:"skipped,omitempty"` // why it was not played

	Calls     int `json:"calls"`
	FailedGet int `json:"failed_idempotent"`
	FailedPut int `json:"failed_other"`
	Shed      int `json:"shed"` // calls that were not begun

	// Of the failed Puts, by what their error says of the execution.
	PutNo    int `json:"failed_other_not_executed"`
	PutMaybe int `json:"failed_other_perhaps_executed"`
	PutYes   int `json:"failed_other_executed"`

	Twice int `json:"executed_twice"` // Puts

	Before    Latency `json:"before"`     // of the open loop, what ended before it struck
	Window    Latency `json:"window"`     // of the open loop, from then on
	LongestMS float64 `json:"longest_ms"` // of both loops, over all

	// Avoided is how long after it struck no client picked a victim any more, nil
	// where one did until the end; Right how long after the end every client's
	// list was right again. In milliseconds.
	Avoided *float64 `json:"avoided_ms"`
	Right   *float64 `json:"right_ms"`

	Figures []Figure `json:"figures,omitempty"` // of this scenario alone
	Broken  []Broken `json:"broken,omitempty"`
}

// A Latency is a distribution, in milliseconds.
type Latency struct {
	Calls int     `json:"calls"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// A Broken is a promise that was not kept.
type Broken struct {
	Promise string `json:"promise"`
	Times   int    `json:"times"`
	Example string `json:"example"`
}

// Broken returns how many scenarios broke a promise.
func (r *Report) Broken() int {
	n := 0
	for i := range r.Rows {
		if len(r.Rows[i].Broken) > 0 {
			n++
		}
	}
	return n
}

// The table's columns and their widths; a negative one stands to the left.
var columns = []struct {
	name  string
	width int
}{
	{"scenario", -17},
	{"calls", 7},
	{"Gets failed", 13},
	{"Puts failed", 13},
	{"twice", 7},
	{"p99 before", 12},
	{"p50", 7},
	{"p99", 7},
	{"max", 7},
	{"longest", 9},
	{"avoided", 9},
	{"right", 7},
}

// Header writes the table's head.
func Header(w io.Writer) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	line(w, names)
}

// Print writes the row as a line of the table, and its figures and what it broke
// below.
func (r *Row) Print(w io.Writer) {
	if r.Skipped != "" {
		fmt.Fprintf(w, "%-17s skipped: %s\n", r.Scenario, r.Skipped)
		return
	}
	line(w, []string{
		r.Scenario, strconv.Itoa(r.Calls), strconv.Itoa(r.FailedGet), r.putsFailed(), strconv.Itoa(r.Twice),
		readable(&r.Before.P99), readable(&r.Window.P50), readable(&r.Window.P99), readable(&r.Window.Max),
		readable(&r.LongestMS), readable(r.Avoided), readable(r.Right),
	})
	for i := range r.Figures {
		fmt.Fprintf(w, "  %v\n", &r.Figures[i])
	}
	for _, b := range r.Broken {
		fmt.Fprintf(w, "  BROKEN: %s (%d times): %s\n", b.Promise, b.Times, b.Example)
	}
}

// putsFailed tells how many Puts failed and whether they were executed: "12 maybe".
func (r *Row) putsFailed() string {
	var kinds []string
	for _, kind := range []struct {
		n    int
		word string
	}{{r.PutNo, "no"}, {r.PutMaybe, "maybe"}, {r.PutYes, "yes"}} {
		if kind.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", kind.n, kind.word))
		}
	}
	if len(kinds) == 0 {
		return "0"
	}
	return strings.Join(kinds, ", ")
}

func line(w io.Writer, cells []string) {
	var b strings.Builder
	for i, cell := range cells {
		fmt.Fprintf(&b, "%*s", columns[i].width, cell)
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// readable returns milliseconds with three digits, "–" for none.
func readable(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v < 10:
		return fmt.Sprintf("%.2f", *v)
	case *v < 100:
		return fmt.Sprintf("%.1f", *v)
	}
	return fmt.Sprintf("%.0f", *v)
}
