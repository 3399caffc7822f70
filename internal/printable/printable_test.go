// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package printable

import "testing"

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"":                       "",
		`none left: "gear" \ 齿轮`: `none left: "gear" \ 齿轮`,
		"a\nb\tc":                `a\nb\tc`,
		"\x1b[31mred\x1b[0m":     `\x1b[31mred\x1b[0m`,
		"\xff\u202egnp.exe":      `\xff\u202egnp.exe`,
		"\ufffd":                 "\ufffd",
	} {
		if got := Line(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Line("as it is") }); n > 0 {
		t.Errorf("%v allocations for what is printable", n)
	}
}
