// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// The colours of a storyline, as SGR parameters of ECMA-48.
const (
	plain  = ""
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

// A storyline prints what happens, a line each with the time since its begin.
// Its methods may be called from any goroutine.
type storyline struct {
	begin  time.Time
	colour bool

	mu  sync.Mutex // guards out
	out io.Writer
}

func newStoryline(out io.Writer) *storyline {
	return &storyline{begin: time.Now(), out: out, colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

// isTerminal reports whether people read it: a character device, and one that
// takes colours.
func isTerminal(w io.Writer) bool {
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// eventf prints what has just happened: a word, then a sentence.
func (l *storyline) eventf(colour, word, format string, args ...any) {
	at := time.Since(l.begin)
	l.show(colour, fmt.Sprintf("%7.3f s  %-9s %s", at.Seconds(), word, fmt.Sprintf(format, args...)))
}

// moref goes on with the event before.
func (l *storyline) moref(format string, args ...any) { l.eventf(plain, "", format, args...) }

// show prints a line as it is.
func (l *storyline) show(colour, line string) {
	if l.colour && colour != plain {
		line = "\x1b[" + colour + "m" + line + "\x1b[0m"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, line)
}

// readable returns a span of time for people: "0.8 ms", "503 ms", "2.41 s".
func readable(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
