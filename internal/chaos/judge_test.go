// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

const (
	victim    = "127.0.0.1:1"
	bystander = "127.0.0.1:2"
)

// failed is the outcome of a call that may have been executed by a server.
func failed(executed rollcall.Executed, suspects ...string) *Outcome {
	return &Outcome{Err: errors.New("failed on purpose"), Executed: executed, Suspects: suspects}
}

// A promise that is broken is found, and one that is kept is not.
func TestJudge(t *testing.T) {
	const maybe, yes, no = rollcall.ExecutedMaybe, rollcall.ExecutedYes, rollcall.ExecutedNo
	for _, tt := range []struct {
		name       string
		call       record
		executions int
		putMay     rollcall.Executed
		want       string // begins the broken promise; "": all are kept
	}{
		{"answered Get", record{}, 1, maybe, ""},
		{"Get that was sent twice", record{}, 2, maybe, ""},
		{"answered Put", record{put: true}, 1, maybe, ""},
		{"Put executed twice", record{put: true}, 2, maybe, "no Put is executed twice"},
		{"failed Put executed twice", record{put: true, outcome: failed(maybe, victim)}, 2, maybe, "no Put is executed twice"},
		{"answered and not executed", record{put: true}, 0, maybe, "what was answered was executed"},
		{"failed Get", record{outcome: failed(maybe, victim)}, 1, maybe, "no Get fails"},
		{"Put perhaps executed, and it was", record{put: true, outcome: failed(maybe, victim)}, 1, maybe, ""},
		{"Put perhaps executed, and it was not", record{put: true, outcome: failed(maybe, victim)}, 0, maybe, ""},
		{"Put perhaps executed where none may fail", record{put: true, outcome: failed(maybe, victim)}, 1, 0, "a Put fails only never"},
		{"Put perhaps executed by another", record{put: true, outcome: failed(maybe, bystander)}, 1, maybe, "a Put fails only on a victim"},
		{"Put not executed", record{put: true, outcome: failed(no)}, 0, maybe, "a Put fails only as perhaps executed"},
		{"Put not executed that was", record{put: true, outcome: failed(no)}, 1, maybe, "an error says truly that a call was not executed"},
		{"Put answered with an error", record{put: true, outcome: failed(yes)}, 1, yes, ""},
		{"Put answered with an error and not executed", record{put: true, outcome: failed(yes)}, 0, yes, "an error says truly that a call was executed"},
		{"as long as allowed", record{took: time.Second}, 1, maybe, ""},
		{"too long", record{took: time.Second + 1}, 1, maybe, "no call lasts longer than 1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stage{
				cfg: &Config{MaxWait: time.Second, Duration: time.Second}, scenario: &Scenario{PutMay: tt.putMay},
				log: filepath.Join(t.TempDir(), "log"), victims: []*server{{addr: victim}},
			}
			log, err := execlog.Open(s.log)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			tt.call.id = 7
			for range tt.executions {
				if err := log.Note(tt.call.id); err != nil {
					t.Fatal(err)
				}
			}
			l := newLedger()
			l.add(tt.call)
			row := Row{Scenario: tt.name}
			if err := s.judge(l, &row); err != nil {
				t.Fatal(err)
			}
			var promises []string
			for _, b := range row.Broken {
				promises = append(promises, b.Promise)
			}
			got := strings.Join(promises, "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("broken: %q, want %q", got, tt.want)
			}
			report := Report{Rows: []Row{row}}
			if broken := report.Broken() == 1; broken != (tt.want != "") {
				t.Errorf("the report tells broken: %v", broken)
			}
		})
	}
}

// Calls that were not begun failed, and a list that stays wrong is a fault.
func TestJudgeRest(t *testing.T) {
	s := &stage{cfg: &Config{}, scenario: &Scenario{}, log: filepath.Join(t.TempDir(), "log"), wrong: context.DeadlineExceeded}
	log, err := execlog.Open(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l := newLedger()
	l.shed = 3
	var row Row
	if err := s.judge(l, &row); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	row.Print(&text)
	for _, want := range []string{"every list is right again", "3 could not be begun"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("nothing tells %q:\n%s", want, text.String())
		}
	}
}

// Of a call that a scenario makes aside only what is said of its execution is judged.
func TestJudgeAside(t *testing.T) {
	for _, tt := range []struct {
		call       record
		executions int
		want       string
	}{
		{record{put: true}, 1, ""},
		{record{put: true, outcome: failed(rollcall.ExecutedNo)}, 0, ""},
		{record{put: true, took: time.Hour, outcome: failed(rollcall.ExecutedMaybe, bystander)}, 1, ""},
		{record{put: true, outcome: failed(rollcall.ExecutedNo)}, 1, "an error says truly that a call was not executed"},
		{record{put: true}, 0, "what was answered was executed"},
		{record{put: true}, 2, "no Put is executed twice"},
	} {
		s := &stage{cfg: &Config{}, scenario: &Scenario{}, log: filepath.Join(t.TempDir(), "log")}
		log, err := execlog.Open(s.log)
		if err != nil {
			t.Fatal(err)
		}
		for range tt.executions {
			if err := log.Note(tt.call.id); err != nil {
				t.Fatal(err)
			}
		}
		log.Close()
		l := newLedger()
		l.addAside(tt.call)
		var row Row
		if err := s.judge(l, &row); err != nil {
			t.Fatal(err)
		}
		if len(row.Broken) > 1 || (len(row.Broken) == 1) != (tt.want != "") || (tt.want != "" && row.Broken[0].Promise != tt.want) {
			t.Errorf("%+v, executed %d times: got %v, want %q", tt.call, tt.executions, row.Broken, tt.want)
		}
	}
}

// A figure beyond its bound is a broken promise, and so is what play has seen.
func TestJudgeFigures(t *testing.T) {
	s := &stage{cfg: &Config{}, scenario: &Scenario{}, log: filepath.Join(t.TempDir(), "log")}
	log, err := execlog.Open(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.measured("goats", 12.3456)
	s.atMost("sheep", 2, 2)
	s.atMost("wolves", 1, 0)
	s.atLeast("dogs", 0.5, 0.25)
	s.atLeast("shepherds", 0, 1)
	s.broken = []Broken{{Promise: "the gate is shut", Example: "it was open"}}
	var row Row
	if err := s.judge(newLedger(), &row); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	row.Print(&text)
	const want = `
  goats: 12.35
  sheep: 2, at most 2
  wolves: 1, at most 0
  dogs: 0.50, at least 0.25
  shepherds: 0, at least 1
  BROKEN: shepherds: at least 1 (1 times): it was 0
  BROKEN: the gate is shut (1 times): it was open
  BROKEN: wolves: at most 0 (1 times): it was 1
`
	if _, got, _ := strings.Cut(text.String(), "\n"); "\n"+got != want {
		t.Errorf("got:\n%s\nwant:%s", got, want)
	}
}

// The window's latencies are those of the open loop, from when it struck.
func TestJudgeWindow(t *testing.T) {
	s := &stage{cfg: &Config{MaxWait: time.Hour, Duration: 2 * time.Second}, scenario: &Scenario{}, log: filepath.Join(t.TempDir(), "log")}
	log, err := execlog.Open(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l := newLedger()
	s.struck, s.healed = l.epoch.Add(4*time.Second), l.epoch.Add(5*time.Second)
	for i, r := range []record{
		{begun: 0, took: 9 * time.Millisecond, open: true}, // while it warms up
		{begun: 3 * time.Second, took: 10 * time.Millisecond, open: true},
		{begun: 4*time.Second - time.Millisecond, took: time.Second, open: true}, // it was struck meanwhile
		{begun: 4 * time.Second, took: 20 * time.Millisecond, open: true},
		{begun: 5 * time.Second, took: 90 * time.Millisecond},
		{begun: 6*time.Second - 1, took: 40 * time.Millisecond, open: true},
		{begun: 6 * time.Second, took: 50 * time.Millisecond, open: true}, // it is over
	} {
		r.id = uint64(i)
		if err := log.Note(r.id); err != nil {
			t.Fatal(err)
		}
		l.add(r)
	}
	var row Row
	if err := s.judge(l, &row); err != nil {
		t.Fatal(err)
	}
	if want := (Latency{1, 10, 10, 10}); row.Before != want {
		t.Errorf("before: got %+v, want %+v", row.Before, want)
	}
	if want := (Latency{2, 20, 40, 40}); row.Window != want {
		t.Errorf("window: got %+v, want %+v", row.Window, want)
	}
	if row.LongestMS != 1000 || row.Calls != 7 || len(row.Broken) != 0 {
		t.Errorf("longest %v, %d calls, broken %v; want 1000, 7 and none", row.LongestMS, row.Calls, row.Broken)
	}
}
