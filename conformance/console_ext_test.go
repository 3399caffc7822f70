// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"
)

// A console is a command line with a person at it who sends one command at a
// time. Watch events come when they like, so they are kept apart from answers.
type console struct {
	dialect
	stdin  io.Writer
	lines  chan string // closed at the end of the program
	marks  int
	states []string // not taken yet by awaitState
	events []string // not taken yet by takeEvent
}

// A dialect is what a command line prints.
type dialect struct {
	// mark returns a command and the line that ends its answer.
	mark func(n int) (command, end string)
	// clean returns what is to be compared of a line, and what kind it is.
	clean func(line string) (string, lineKind)
	// order puts what has no order of its own into one.
	order func(command string, answer []string)
}

type lineKind int

const (
	noise lineKind = iota + 1
	text           // a part of an answer
	event          // what a watch told
	state          // how the connection is
)

func startConsole(t *testing.T, cmd *exec.Cmd, d dialect) *console {
	t.Helper()
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &console{dialect: d, stdin: stdin, lines: make(chan string, 1024)}
	ended := make(chan struct{})
	go func() { // it ends with the process
		defer close(ended)
		_ = w.CloseWithError(cmd.Wait())
	}()
	go func() { // it ends with the pipe
		defer close(c.lines)
		for in := bufio.NewScanner(r); in.Scan(); {
			c.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range c.lines {
		}
		<-ended
	})
	c.run(t, "") // drops the greeting
	return c
}

// run sends a command and returns its answer.
func (c *console) run(t *testing.T, command string) []string {
	t.Helper()
	c.marks++
	mark, end := c.mark(c.marks)
	if _, err := fmt.Fprintf(c.stdin, "%s\n%s\n", command, mark); err != nil {
		t.Fatal(err)
	}
	answer := []string{}
	for {
		line := receive(t, "the answer to "+command, c.lines)
		if line == end {
			break
		}
		if s := c.sort(line); s != "" {
			answer = append(answer, s)
		}
	}
	c.order(command, answer)
	return answer
}

// sort puts events and states aside and returns what belongs to an answer.
func (c *console) sort(line string) string {
	s, kind := c.clean(line)
	switch kind {
	case text:
		return s
	case event:
		c.events = append(c.events, s)
	case state:
		c.states = append(c.states, s)
	case noise:
	}
	return ""
}

// next takes the first of a list that lines are sorted into.
func (c *console) next(t *testing.T, what string, list *[]string) string {
	t.Helper()
	for end := time.Now().Add(patience); len(*list) == 0; {
		if time.Now().After(end) {
			t.Fatalf("%s: nothing within %v", what, patience)
		}
		c.sort(receive(t, what, c.lines))
	}
	first := (*list)[0]
	*list = (*list)[1:]
	return first
}

// wantEvent waits for the next event.
func (c *console) wantEvent(t *testing.T, want string) {
	t.Helper()
	if got := c.next(t, "event "+want, &c.events); got != want {
		t.Errorf("got event %s, want %s", got, want)
	}
}

// awaitState waits for a state of the connection.
func (c *console) awaitState(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(patience); c.next(t, "state "+want, &c.states) != want; {
		if time.Now().After(end) {
			t.Fatalf("state %s: others only within %v", want, patience)
		}
	}
}
