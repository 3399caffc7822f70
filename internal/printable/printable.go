// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package printable makes text that somebody else wrote fit to be printed: what a
// terminal or a log would take for more than a text is shown as Go writes it in a
// string, a newline as \n.
package printable

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line returns s as one line in which every rune can be printed. One that is so
// already is returned as it is.
func Line(s string) string {
	if !strings.ContainsFunc(s, isForeign) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if isForeign(r) || (r == utf8.RuneError && size == 1) {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func isForeign(r rune) bool { return !strconv.IsPrint(r) }
