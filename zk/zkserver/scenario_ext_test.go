// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// rewrite records anew what both servers answer. Read the difference before
// committing it: lines that begin with "<" are where ours is not like 3.8.0.
var rewrite = flag.Bool("rewrite", false, "record the scenarios' answers from this server and Apache ZooKeeper")

// A scenario is a script in testdata/scenarios, a command per line, each
// followed by what is answered:
//
//	a create /x data=1
//	> ok /x
//	b exists /x
//	> noauth
//	< ok …
//
// "a" and "b" name connections, opened at their first command. ">" is the answer
// of both servers, or of ours if lines with "<" follow, which are Apache
// ZooKeeper 3.8.0's. What cannot be equal is made so: paths are below a node of
// the scenario's own, zxids are replaced by their rank, sessions by the names of
// their connections. A name that begins with 0raw stands for a scenario on a
// fresh server, whose paths are as they are.
type scenario struct {
	file  string
	steps []step
}

type step struct {
	comment      []string // lines before it, verbatim
	lines        []string // the command, and the operations of a multi
	ours, theirs []string
}

func loadScenario(t *testing.T, file string) *scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sc := &scenario{file: file}
	var comment []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		last := len(sc.steps) - 1
		switch {
		case strings.HasPrefix(line, "> "):
			sc.steps[last].ours = append(sc.steps[last].ours, line[2:])
		case strings.HasPrefix(line, "< "):
			sc.steps[last].theirs = append(sc.steps[last].theirs, line[2:])
		case strings.HasPrefix(line, "  "):
			sc.steps[last].lines = append(sc.steps[last].lines, line)
		case line == "" || line[0] == '#':
			comment = append(comment, line)
		default:
			sc.steps = append(sc.steps, step{comment: comment, lines: []string{line}})
			comment = nil
		}
	}
	return sc
}

func (sc *scenario) save(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, st := range sc.steps {
		for _, line := range slices.Concat(st.comment, st.lines) {
			fmt.Fprintln(&b, line)
		}
		for _, line := range st.ours {
			fmt.Fprintln(&b, "> "+line)
		}
		if !slices.Equal(st.ours, st.theirs) {
			for _, line := range st.theirs {
				fmt.Fprintln(&b, "< "+line)
			}
		}
	}
	if err := os.WriteFile(sc.file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (sc *scenario) name() string { return strings.TrimSuffix(filepath.Base(sc.file), ".txt") }

func scenarioFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	return files
}

func ourAddr(t *testing.T) string {
	t.Helper()
	_, addr := startServer(t, zkserver.Options{TickTime: 500 * time.Millisecond})
	return addr
}

func TestScenarios(t *testing.T) {
	if *rewrite {
		rewriteScenarios(t)
		return
	}
	for _, file := range scenarioFiles(t) {
		sc := loadScenario(t, file)
		t.Run(sc.name(), func(t *testing.T) {
			got := runScenario(t, sc, ourAddr(t))
			for i, st := range sc.steps {
				compareStep(t, sc, &st, got[i], st.ours)
			}
		})
	}
}

// TestScenariosApache demands that the recorded answers are those of Apache
// ZooKeeper.
func TestScenariosApache(t *testing.T) {
	if *rewrite {
		t.Skip("recording")
	}
	z := realtest.Apache(t)
	for _, file := range scenarioFiles(t) {
		sc := loadScenario(t, file)
		t.Run(sc.name(), func(t *testing.T) {
			got := runScenario(t, sc, z.Addr())
			for i, st := range sc.steps {
				want := st.theirs
				if want == nil {
					want = st.ours
				}
				compareStep(t, sc, &st, got[i], want)
			}
		})
	}
}

func compareStep(t *testing.T, sc *scenario, st *step, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s\ngot:\n  %s\nwant:\n  %s", sc.file, strings.Join(st.lines, "; "),
			strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func rewriteScenarios(t *testing.T) {
	t.Helper()
	z := realtest.Apache(t)
	for _, file := range scenarioFiles(t) {
		sc := loadScenario(t, file)
		ours, theirs := runScenario(t, sc, ourAddr(t)), runScenario(t, sc, z.Addr())
		for i := range sc.steps {
			sc.steps[i].ours, sc.steps[i].theirs = ours[i], theirs[i]
		}
		sc.save(t)
	}
}
