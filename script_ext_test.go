// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

var update = flag.Bool("update", false, "write what the scripts of calls show now as what is expected")

// TestCallScripts runs testdata/calls/*.txt: what becomes of a call when this or that
// befalls the servers. A script is a sequence of blocks: steps, a line "----", and
// what the calls of the block came to, up to an empty line. A step is a time since
// the start, a verb and its arguments:
//
//	0s serve a b(streams=1)        servers, in the list from now on; one that was killed is back
//	0s list a b(weight=0,id=x)     a new list; one that nobody serves refuses connections
//	0s source none|stale|live      how the list is known from now on
//	1s a answers [after 10ms]      what the handler of a does with requests to come: it answers,
//	1s a fails CODE [REASON] [passed-on] [after 10ms]
//	1s a hangs                     does nothing until its caller has gone,
//	1s a mumbles                   replies with what does not decode,
//	1s a dies                      ends with its process, when it has the request,
//	1s a drops [once]              loses the connection that the request came on
//	1s a connects [well]           what becomes of connections to a that are dialled from now on,
//	1s a connects refused|never|silent|before-request|in-request|in-reply
//	                               or where they die
//	1s a kill|drain|cut|mute       the process, the connections that stand: at once
//	1s warm 200 [OPTION…]          so many calls one after the other, which are not shown
//	1s call [OPTION…]              a call, which does not keep the next step waiting
//	1s close                       closes the client
//
// The options of a call are those of CallOptions: idempotent, wait, hedge, max=2,
// timeout=1s, attempt=50ms, instance=a, and method=NAME, cancel=10ms, x3 for three at
// once.
//
// Instance NAME has that entry and ID and the address NAME:1. Calls prefer who comes
// first in the alphabet, of those that the balancer would pick. A call is shown with
// its times on the fake clock, who answered, the error, and the Report; at the end
// stands how many retries the client's budget has left.
func TestCallScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/calls/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: got %v, %v; want some", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(data), "# ") {
				t.Errorf("%s: begin with a comment that says what it shows", file)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = runScript(t, string(data)) })
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

// runScript returns the file with what it shows now in place of what it expects.
func runScript(t *testing.T, file string) string {
	t.Helper()
	s := newScript(t)
	defer s.end()
	var out strings.Builder
	expected := false
	for line := range strings.Lines(file) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case text == "----":
			expected = true
			out.WriteString("----\n" + s.show())
		case text == "":
			expected = false
			out.WriteString("\n")
		case expected:
			if _, err := time.ParseDuration(strings.Fields(text)[0]); err == nil {
				t.Fatalf("step %q: there is no empty line before it", text)
			}
		default:
			out.WriteString(text + "\n")
			if !strings.HasPrefix(text, "#") {
				s.step(text)
			}
		}
	}
	return out.String()
}

// A script is a client, the stage that its calls are made on, and the calls.
type script struct {
	*stage
	client *rollcall.Client
	epoch  time.Time
	calls  []*scriptCall // of the block
	count  int           // of all calls
}

// A scriptCall is a call that was begun.
type scriptCall struct {
	number int
	begun  time.Time
	done   chan struct{} // closed when what follows is there
	ended  time.Time
	reply  *string
	err    error
	report rollcall.Report
}

var do = rollcall.Method[string, string]{Name: "Do"}

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{stage: newStage(t), epoch: time.Now()}
	s.client = must(rollcall.NewClient("memory", rollcall.ClientOptions{
		Resolver: s.list, Dial: s.dial, Logger: discard,
		Balancing: balancer.Options{Policy: alphabetical{}, Rand: func() float64 { return 1 }},
	}))
	synctest.Wait()
	return s
}

func (s *script) end() {
	s.client.Close()
	s.stage.end()
}

// step waits for its time and does what it says, with all that follows at once.
func (s *script) step(text string) {
	s.t.Helper()
	fields := strings.Fields(text)
	if len(fields) < 2 {
		s.t.Fatalf("step %q: want TIME VERB …", text)
	}
	pause := s.duration(fields[0]) - time.Since(s.epoch)
	if pause < 0 {
		s.t.Fatalf("step %q: it is %v already", text, time.Since(s.epoch))
	}
	time.Sleep(pause)
	synctest.Wait()
	switch verb, args := fields[1], fields[2:]; verb {
	case "warm":
		s.warm(args)
	case "call":
		opts, times := s.options(args)
		for range times {
			s.call(opts)
			synctest.Wait()
		}
	case "close":
		s.client.Close()
	default:
		s.stage.step(verb, args)
	}
	synctest.Wait()
}

// A callPlan is how a call is made.
type callPlan struct {
	rollcall.CallOptions
	method string
	cancel time.Duration // when the caller gives up; 0: never
}

var errGaveUp = errors.New("the caller gave up")

func (s *script) call(plan callPlan) {
	s.count++
	c := &scriptCall{number: s.count, begun: time.Now(), done: make(chan struct{})}
	s.calls = append(s.calls, c)
	go func() {
		defer close(c.done)
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		if plan.cancel > 0 {
			defer time.AfterFunc(plan.cancel, func() { cancel(errGaveUp) }).Stop()
		}
		plan.Report = &c.report
		method := do
		method.Name = plan.method
		c.reply, c.err = method.CallWith(ctx, s.client, new("do it"), plan.CallOptions)
		c.ended = time.Now()
	}()
}

func (s *script) warm(args []string) {
	s.t.Helper()
	plan, _ := s.options(args[1:])
	for range s.number(args[0]) {
		if _, err := do.CallWith(context.Background(), s.client, new("do it"), plan.CallOptions); err != nil {
			s.t.Fatalf("warm: %v", err)
		}
	}
}

func (s *script) options(args []string) (plan callPlan, times int) {
	s.t.Helper()
	plan.method, times = do.Name, 1
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case name == "idempotent":
			plan.Idempotent = true
		case name == "wait":
			plan.WaitForReady = true
		case name == "hedge":
			plan.Hedge = true
		case name == "max":
			plan.MaxAttempts = s.number(value)
		case name == "timeout":
			plan.Timeout = s.duration(value)
		case name == "attempt":
			plan.AttemptTimeout = s.duration(value)
		case name == "cancel":
			plan.cancel = s.duration(value)
		case name == "instance":
			plan.Instance = value
		case name == "method":
			plan.method = value
		case strings.HasPrefix(name, "x"):
			times = s.number(name[1:])
		default:
			s.t.Fatalf("call: the option %q is not known", arg)
		}
	}
	return plan, times
}

func (s *script) duration(text string) time.Duration {
	s.t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) number(text string) int {
	s.t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// show waits for the calls of the block and tells what became of them.
func (s *script) show() string {
	var b strings.Builder
	for _, c := range s.calls {
		<-c.done
		fmt.Fprintf(&b, "%d %v-%v ", c.number, c.begun.Sub(s.epoch), c.ended.Sub(s.epoch))
		s.showEnd(&b, c)
		r := &c.report
		fmt.Fprintf(&b, "  list: %v, ", r.Source)
		if len(r.Attempts) == 0 {
			b.WriteString(r.Counts.String())
			if r.Panic {
				b.WriteString(", panic")
			}
		} else { // how soon a failure shows in the counts is not said
			fmt.Fprintf(&b, "%d listed", r.Counts.Listed)
		}
		if r.SourceErr != nil {
			fmt.Fprintf(&b, " (%v)", r.SourceErr)
		}
		b.WriteString("\n")
		for _, a := range inOrder(r.Attempts) {
			tried := "tried"
			if a.Hedge {
				tried = "hedged to"
			}
			fmt.Fprintf(&b, "  %s %s: %v after %v, executed %v: %v\n", tried, a.Instance, a.Phase, a.Elapsed, a.Executed, a.Err)
		}
		if r.Stopped != "" {
			fmt.Fprintf(&b, "  stopped: %s\n", r.Stopped)
		}
	}
	s.calls = nil
	synctest.Wait()
	fmt.Fprintf(&b, "retries left: %.1f\n", s.client.State().RetriesLeft)
	return lost.Replace(b.String())
}

// Which end of a connection that was cut notices first, and how, is not said.
var lost = strings.NewReplacer(
	"transport: read: memnet: connection reset", "connection lost",
	"transport: write: memnet: connection reset", "connection lost",
	"transport: connection closed by the peer", "connection lost",
)

// inOrder returns the attempts with a hedge after all others: which of two that
// overlap is told first is not said.
func inOrder(attempts []rollcall.Attempt) []rollcall.Attempt {
	sorted := slices.Clone(attempts)
	slices.SortStableFunc(sorted, func(a, b rollcall.Attempt) int {
		switch {
		case a.Hedge == b.Hedge:
			return 0
		case a.Hedge:
			return 1
		}
		return -1
	})
	return sorted
}

// showEnd tells who answered, or the error, and checks that they agree.
func (s *script) showEnd(b *strings.Builder, c *scriptCall) {
	answered := c.report.Answered.Name
	var e *rollcall.Error
	switch {
	case c.err == nil:
		if *c.reply != c.report.Answered.Host {
			s.t.Errorf("call %d: %q has answered, the report names %q", c.number, *c.reply, answered)
		}
		fmt.Fprintf(b, "answered by %s\n", answered)
		return
	case !errors.As(c.err, &e) || e.Report == nil:
		s.t.Errorf("call %d: got %v, want an *Error with a report", c.number, c.err)
		return
	}
	fmt.Fprintf(b, "%v", e.Code)
	if e.Reason != "" {
		fmt.Fprintf(b, " %s", e.Reason)
	}
	fmt.Fprintf(b, ", executed %v", e.Executed)
	if answered != "" {
		fmt.Fprintf(b, ", answered by %s", answered)
	}
	fmt.Fprintf(b, ": %s\n", e.Message)
	for _, end := range []error{context.DeadlineExceeded, context.Canceled, errGaveUp} {
		if errors.Is(e, end) && !strings.Contains(e.Message, end.Error()) {
			fmt.Fprintf(b, "  is: %v\n", end)
		}
	}
}

// alphabetical picks who comes first in the alphabet.
type alphabetical struct{}

func (alphabetical) Name() string { return "alphabetical" }

func (alphabetical) NewPicker(candidates []balancer.Candidate, _ func() float64) balancer.Picker {
	sorted := slices.Clone(candidates)
	slices.SortFunc(sorted, func(a, b balancer.Candidate) int {
		return strings.Compare(a.Endpoint.Instance.Host, b.Endpoint.Instance.Host)
	})
	return alphabeticalPicker(sorted)
}

type alphabeticalPicker []balancer.Candidate

func (p alphabeticalPicker) Pick(info balancer.PickInfo) *balancer.Endpoint {
	for _, c := range p {
		if !slices.Contains(info.Tried, c.Endpoint) {
			return c.Endpoint
		}
	}
	return nil
}

var _ discovery.Resolver = (*scriptList)(nil)
