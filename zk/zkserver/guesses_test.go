// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"fmt"
	"testing"
	"time"
)

// Any number of addresses takes a bounded amount of memory, and a machine has one
// address, however many of IPv6 it uses.
func TestGuessersAreBounded(t *testing.T) {
	var g guesses
	g.init()
	now := time.Unix(1000, 0)
	for i := range 2 * maxGuessers {
		for said := range uint64(2) {
			g.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), said+1, now)
		}
	}
	if len(g.hosts) != maxGuessers || g.recent.Len() != maxGuessers {
		t.Errorf("%d and %d addresses are remembered, want %d", len(g.hosts), g.recent.Len(), maxGuessers)
	}
	for i := range freeGuesses {
		if wait := g.take(fmt.Sprintf("2001:db8::%x", i), uint64(1000+i), now); wait > 0 {
			t.Errorf("guess %d waits %v", i, wait)
		}
	}
	if wait := g.take("2001:db8::ffff", 5000, now); wait != guessPause {
		t.Errorf("guess %d waits %v, want %v", freeGuesses, wait, guessPause)
	}
	if wait := g.take("2001:db8:0:1::1", 1, now); wait > 0 {
		t.Errorf("another network waits %v", wait)
	}
	if wait := g.take("2001:db8::1", 1000, now); wait > 0 {
		t.Errorf("what was said before waits %v", wait)
	}
	for range 1000 {
		g.take("2001:db8::1", 0, now)
	}
	if wait := g.take("2001:db8::1", 0, now); wait != longestGuess {
		t.Errorf("a guess behind thousands waits %v, want %v", wait, longestGuess)
	}
	if wait := g.take("2001:db8::1", 0, now.Add(longestGuess+freeGuesses*guessPause)); wait > 0 {
		t.Errorf("once all is paid for, a guess waits %v", wait)
	}
}
