// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the answers of Apache ZooKeeper into the transcripts")

// A step of a transcript is a command, what it is to print, and the watch events
// that are to come. In the file a line of a command begins with "> ", of an
// event with "! ", of a comment with "# "; all others are what is printed.
type step struct {
	comments, answer, events []string
	command                  string
}

func readTranscript(t *testing.T, name string) []*step {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var steps []*step
	var comments []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		last := len(steps) - 1
		switch {
		case line == "":
		case strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		case strings.HasPrefix(line, "> "):
			steps = append(steps, &step{comments: comments, command: line[2:], answer: []string{}})
			comments = nil
		case last < 0:
			t.Fatalf("%s: %q comes before the first command", name, line)
		case strings.HasPrefix(line, "! "):
			steps[last].events = append(steps[last].events, line[2:])
		default:
			steps[last].answer = append(steps[last].answer, line)
		}
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no commands", name)
	}
	return steps
}

func writeTranscript(t *testing.T, name string, steps []*step) {
	t.Helper()
	var b strings.Builder
	for _, st := range steps {
		if len(st.comments) > 0 {
			b.WriteString("\n" + strings.Join(st.comments, "\n") + "\n")
		}
		b.WriteString("> " + st.command + "\n")
		for _, line := range st.answer {
			b.WriteString(line + "\n")
		}
		for _, line := range st.events {
			b.WriteString("! " + line + "\n")
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", name), []byte(strings.TrimLeft(b.String(), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// playTranscript sends the commands of a transcript and compares what comes
// back. ADDR in a command stands for the server's address.
func playTranscript(t *testing.T, c *console, name, addr string, record bool) {
	t.Helper()
	steps := readTranscript(t, name)
	for _, st := range steps {
		got := c.run(t, strings.ReplaceAll(st.command, "ADDR", addr))
		if record {
			st.answer = got
		}
		if diff := cmp.Diff(st.answer, got); diff != "" {
			t.Errorf("> %s: -want +got\n%s", st.command, diff)
		}
		for _, want := range st.events {
			c.wantEvent(t, want)
		}
		if len(c.events) > 0 {
			t.Errorf("> %s: got the events %q too", st.command, c.events)
			c.events = nil
		}
	}
	if record && !t.Failed() {
		writeTranscript(t, name, steps)
	}
}
