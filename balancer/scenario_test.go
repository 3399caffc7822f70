// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
)

var update = flag.Bool("update", false, "write what the scenarios show now as what is expected")

// TestScenarios runs testdata/*.txt. A file is a sequence of blocks: steps, a
// line "----", and what the last of them leads to, up to an empty line. A step
// is a time since the start, a verb and its arguments:
//
//	0s list a b(rev=2,weight=0)    a new list; an instance is NAME(KEY=VALUE,…)
//	1s source stale                the same list, from another source
//	1s fail a [dialed]             Failed
//	1s recover a                   Recovered
//	1s probed a                    Probed
//	1s silent a [over]             Silent
//	1s drain a [id=ID]             Draining on a's connection
//	1s left a                      Left
//	1s call a lost 10ms x5         so many attempts of that outcome and latency
//	1s tick                        Tick, then Probes
//
// An instance NAME has that ID and the address NAME:1; "id=" takes the ID away,
// "drain=" lets operators drain it, "at=" is when it was registered.
// Every pause lasts as long as its bound. A "|" separates the candidates from
// those that are picked when the call has failed on them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scenarios: got %v, %v; want some", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(got, string(data)); diff != "" {
				t.Errorf("%s (- got, + want):\n%s", file, diff)
			}
		})
	}
}

// runScenario returns the file with what it shows now in place of what it
// expects.
func runScenario(t *testing.T, file string) string {
	t.Helper()
	s := newScenario()
	var out strings.Builder
	expected := false
	for line := range strings.Lines(file) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case text == "----":
			expected = true
			out.WriteString("----\n" + s.show(t))
		case text == "":
			expected = false
			out.WriteString("\n")
		case expected:
		default:
			out.WriteString(text + "\n")
			if !strings.HasPrefix(text, "#") {
				s.step(t, strings.Fields(text))
			}
		}
	}
	return out.String()
}

type scenario struct {
	roster    *Roster
	last      discovery.Update
	endpoints map[string]*Endpoint // by NAME, the last one seen
	events    []string
	attached  int
}

var epoch = time.Unix(0, 0)

func newScenario() *scenario {
	s := &scenario{endpoints: make(map[string]*Endpoint)}
	s.roster = NewRoster(Options{Rand: func() float64 { return 1 }}, Hooks{
		Supported: func(in *discovery.Instance) bool { return len(in.Protocols) == 0 || in.Speaks("rollcall/1") },
		Attach: func(e *Endpoint) any {
			s.attached++
			s.events = append(s.events, fmt.Sprintf("attach %s: conn%d", e.Instance.Host, s.attached))
			return fmt.Sprintf("conn%d", s.attached)
		},
		Detach: func(e *Endpoint) {
			s.events = append(s.events, fmt.Sprintf("detach %s: %v", e.Instance.Host, e.Owner))
		},
	})
	return s
}

func (s *scenario) step(t *testing.T, fields []string) {
	t.Helper()
	offset, err := time.ParseDuration(fields[0])
	if err != nil || len(fields) < 2 {
		t.Fatalf("step %q: want TIME VERB …: %v", fields, err)
	}
	now, args := epoch.Add(offset), fields[2:]
	switch fields[1] {
	case "list":
		s.last = discovery.Update{Source: discovery.SourceLive, Confirmed: now}
		for _, arg := range args {
			s.last.Instances = append(s.last.Instances, parseInstance(t, arg))
		}
		s.roster.Update(now, s.last)
	case "source":
		s.last.Source = map[string]discovery.Source{"none": discovery.SourceNone, "stale": discovery.SourceStale}[args[0]]
		if s.last.Source == discovery.SourceNone {
			s.last.Instances = nil
		}
		s.roster.Update(now, s.last)
	case "fail":
		s.roster.Failed(now, s.endpoint(t, args), slices.Contains(args, "dialed"))
	case "recover":
		s.roster.Recovered(now, s.endpoint(t, args))
	case "probed":
		s.roster.Probed(now, s.endpoint(t, args))
	case "silent":
		s.roster.Silent(now, s.endpoint(t, args), !slices.Contains(args, "over"))
	case "left":
		s.roster.Left(now, s.endpoint(t, args))
	case "drain":
		_, id, _ := strings.Cut(strings.Join(args[1:], ""), "id=")
		s.roster.Draining(now, id, s.endpoint(t, args))
	case "call":
		s.call(t, now, args)
	case "tick":
		s.roster.Tick(now)
		for _, e := range s.roster.Probes(now) {
			s.events = append(s.events, "probe "+e.Instance.Host)
		}
	default:
		t.Fatalf("step %q: the verb is not known", fields)
	}
	for _, es := range s.roster.Snapshot().Endpoints {
		s.endpoints[es.Endpoint.Instance.Host] = es.Endpoint
	}
}

// call makes attempts; one that asks for a look at the roster is an event.
func (s *scenario) call(t *testing.T, now time.Time, args []string) {
	t.Helper()
	e := s.endpoint(t, args)
	outcome := map[string]Outcome{
		"answered": OutcomeAnswered, "error": OutcomeError, "lost": OutcomeLost, "abandoned": OutcomeAbandoned,
	}[args[1]]
	latency, err := time.ParseDuration(args[2])
	if err != nil || outcome == 0 {
		t.Fatalf("call %q: want NAME OUTCOME LATENCY [xN]: %v", args, err)
	}
	times := 1
	if len(args) > 3 {
		times = atoi(t, strings.TrimPrefix(args[3], "x"))
	}
	for range times {
		e.Start(now)
		if e.Finish(now, latency, outcome) {
			s.events = append(s.events, fmt.Sprintf("asked by %s at %v", e.Instance.Host, now.Sub(epoch)))
		}
	}
}

func (s *scenario) endpoint(t *testing.T, args []string) *Endpoint {
	t.Helper()
	if len(args) == 0 || s.endpoints[args[0]] == nil {
		t.Fatalf("endpoint %q: never listed", args)
	}
	return s.endpoints[args[0]]
}

func parseInstance(t *testing.T, arg string) discovery.Instance {
	t.Helper()
	host, rest, _ := strings.Cut(strings.TrimSuffix(arg, ")"), "(")
	in := discovery.Instance{ID: host, Host: host, Port: 1, Weight: 100, Revision: 1}
	for option := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "":
		case "id":
			in.ID = value
		case "name":
			in.Name = value
		case "host":
			in.Host = value
		case "weight":
			in.Weight = atoi(t, value)
		case "drain": // by operators
			in = in.Overridden(&discovery.Override{Drain: &discovery.Order{By: value}})
		case "at":
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			in.Registered = time.Unix(1_000_000, 0).Add(d) // not the local clock
		case "rev":
			in.Revision = int64(atoi(t, value))
		case "protocol":
			in.Protocols = []string{value}
		default:
			t.Fatalf("instance %q: the option %q is not known", arg, name)
		}
	}
	if in.Name == "" {
		in.Name = fmt.Sprintf("%s-%d", host, in.Revision)
	}
	return in
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// show tells all that can be seen from outside, and checks that picking agrees
// with it.
func (s *scenario) show(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, event := range s.events {
		fmt.Fprintln(&b, event)
	}
	s.events = nil
	snapshot := s.roster.Snapshot()
	fmt.Fprint(&b, snapshot.Counts)
	if snapshot.Source != discovery.SourceLive {
		fmt.Fprintf(&b, " (%s)", snapshot.Source)
	}
	if snapshot.Panic {
		b.WriteString(" PANIC")
	}
	b.WriteString("\n")
	for _, es := range snapshot.Endpoints {
		fmt.Fprintf(&b, "  %s %s", es.Endpoint.Instance.Name, es.State)
		if !es.Until.IsZero() {
			fmt.Fprintf(&b, " until %v", es.Until.Sub(epoch))
		}
		if es.Weight != float64(es.Endpoint.Instance.Weight) {
			fmt.Fprintf(&b, " weight %.3g", es.Weight)
		}
		if es.Ejection != nil {
			fmt.Fprintf(&b, ": %v, times %d", es.Ejection, es.Ejection.Times)
		}
		b.WriteString("\n")
	}
	b.WriteString("pick:")
	var tried []*Endpoint
	for _, tier := range s.roster.tiers {
		if len(tier.list) == 0 {
			continue
		}
		if len(tried) > 0 {
			b.WriteString(" |")
		}
		var names, picked []string
		for _, c := range tier.list {
			names = append(names, c.Endpoint.Instance.Host)
			got := snapshot.Picker.Pick(PickInfo{Tried: tried})
			if got == nil {
				t.Fatalf("pick after %d: got nil, want one of %v", len(tried), tier.list)
			}
			tried = append(tried, got)
			picked = append(picked, got.Instance.Host)
		}
		fmt.Fprintf(&b, " %s", strings.Join(names, " "))
		slices.Sort(names)
		slices.Sort(picked)
		if !slices.Equal(picked, names) {
			t.Errorf("picked: got %v, want %v", picked, names)
		}
	}
	if got := snapshot.Picker.Pick(PickInfo{Tried: tried}); got != nil {
		t.Errorf("pick after all: got %v, want nil", got.Instance.Host)
	}
	if len(tried) == 0 {
		b.WriteString(" nobody")
	}
	b.WriteString("\n")
	if due, ok := s.roster.Next(epoch); ok {
		fmt.Fprintf(&b, "next: %v\n", due.Sub(epoch))
	}
	return b.String()
}
