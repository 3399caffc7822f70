// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// An explanationJSON is why a call went where it went, as printed with -o json.
type explanationJSON struct {
	rollcall.ClientState               // as it was before the call
	Attempts             []attemptJSON `json:"attempts"` // that failed
	Stopped              string        `json:"stopped,omitempty"`
	Picked               string        `json:"picked"` // who answered; empty: nobody
	Why                  string        `json:"why"`
}

type attemptJSON struct {
	Address   string `json:"address"`
	Entry     string `json:"entry"`
	Phase     string `json:"phase"`
	Hedge     bool   `json:"hedge,omitempty"`
	ElapsedUS int64  `json:"elapsed_us"`
	Executed  string `json:"executed"`
	Error     string `json:"error"`
}

// awaitList waits for the first list, which a call would wait for as well, so
// that there is something to explain.
func awaitList(ctx context.Context, client *rollcall.Client) {
	for {
		changed := client.Changed()
		if s := client.Snapshot(); s.Source > discovery.SourceNone || s.Err != nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// explain tells what became of a call, given what was known before it.
func explain(before rollcall.ClientState, report *rollcall.Report, instance string) *explanationJSON {
	e := &explanationJSON{ClientState: before, Attempts: []attemptJSON{}, Stopped: report.Stopped}
	for _, a := range report.Attempts {
		e.Attempts = append(e.Attempts, attemptJSON{
			Address: a.Addr, Entry: a.Instance, Phase: a.Phase.String(), Hedge: a.Hedge,
			ElapsedUS: a.Elapsed.Microseconds(), Executed: a.Executed.String(), Error: a.Err.Error(),
		})
	}
	if report.Answered.Host == "" {
		e.Why = "nobody answered"
		return e
	}
	e.Picked = report.Answered.Addr()
	e.Why = e.reason(instance)
	return e
}

// reason says why the one that answered was picked.
func (e *explanationJSON) reason(instance string) string {
	if instance != "" {
		return "--instance names it"
	}
	var why []string
	if n := len(e.Attempts); n > 0 && e.Attempts[n-1].Address != e.Picked {
		why = append(why, fmt.Sprintf("%d failed before it", n))
	}
	state := ""
	for _, in := range e.Instances {
		if in.Address == e.Picked {
			state = in.State
		}
	}
	switch {
	case state == balancer.StateUsable.String() && e.Counts.Usable == 1:
		why = append(why, "it is the only usable one")
	case state == balancer.StateUsable.String():
		why = append(why, choiceOf[e.Balance])
	case e.Panic:
		why = append(why, "fewer than half are usable: others are called as well")
	case state != "":
		why = append(why, "it is "+state+", and nobody better was left")
	default:
		why = append(why, "it came while the call was under way")
	}
	return strings.Join(why, "; ")
}

// choiceOf says how each policy has chosen among the usable.
var choiceOf = map[string]string{
	balancer.P2C.Name():        "of two drawn by weight it promised the shorter wait",
	balancer.Random.Name():     "drawn by weight",
	balancer.RoundRobin.Name(): "it was its turn",
	balancer.RingHash.Name():   "the call has no hash: anywhere on the ring",
}

// print writes the explanation for people.
func (e *explanationJSON) print(w io.Writer, now time.Time) {
	list := e.Source + " list"
	if e.Source == discovery.SourceNone.String() {
		list = "no list yet"
	}
	fmt.Fprintf(w, "%s: %s, %v; policy %s; %.0f retries left\n", e.Target, list, e.Counts, e.Balance, e.RetriesLeft)
	if e.SourceError != "" {
		fmt.Fprintf(w, "the list is not live: %s\n", orDash(e.SourceError))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRY\tADDRESS\tSTATE\tWEIGHT\tEFFECTIVE\tIN FLIGHT\tLATENCY\tWAIT\tCONNECTED")
	for _, in := range e.Instances {
		state := in.State
		if in.Until != nil {
			state += fmt.Sprintf(" for %v", max(in.Until.Sub(now), 0).Round(time.Millisecond))
		}
		if in.Cause != "" {
			state += ": " + in.Cause
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%t\n", orDash(in.Entry), orDash(in.Address), orDash(state), in.Weight,
			strconv.FormatFloat(in.EffectiveWeight, 'f', -1, 64), in.InFlight, micros(in.LatencyUS), micros(in.WaitUS), in.Connected)
	}
	t.Flush() // w keeps its own errors
	for _, a := range e.Attempts {
		fmt.Fprintf(w, "tried %s: %s after %v, executed %s: %s\n", orDash(a.Address), a.Phase, time.Duration(a.ElapsedUS)*time.Microsecond, a.Executed, orDash(a.Error))
	}
	if e.Stopped != "" {
		fmt.Fprintf(w, "no further attempt: %s\n", e.Stopped)
	}
	if e.Picked != "" {
		fmt.Fprintf(w, "answered by %s: ", orDash(e.Picked))
	}
	fmt.Fprintln(w, e.Why)
}

// micros returns a time in microseconds, or a dash for none.
func micros(us int64) string {
	if us == 0 {
		return "-"
	}
	return (time.Duration(us) * time.Microsecond).String()
}
