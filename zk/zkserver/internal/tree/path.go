// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strings"
	"unicode/utf8"
)

// ValidPath reports whether a node may have the path: segments that begin with
// a slash and are not empty, "." or "..", of characters that PathUtils allows.
// It judges UTF-16 units as ZooKeeper does, so everything outside the basic
// plane is refused with the surrogates; so are bytes that are not UTF-8.
func ValidPath(path string) bool {
	if path == "/" {
		return true
	}
	if path == "" || path[0] != '/' || path[len(path)-1] == '/' {
		return false
	}
	begin := 1 // of the current segment
	for i := 1; i < len(path); {
		c := path[i]
		switch {
		case c == '/':
			if !validSegment(path[begin:i]) {
				return false
			}
			i++
			begin = i
		case c < 0x20 || c == 0x7f:
			return false
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRuneInString(path[i:])
			if !validRune(r) {
				return false
			}
			i += size
		}
	}
	return validSegment(path[begin:])
}

func validSegment(s string) bool { return s != "" && s != "." && s != ".." }

// validRune judges what is not ASCII: no C1 control characters, surrogates,
// private use or specials. utf8.RuneError is among the last.
func validRune(r rune) bool {
	switch {
	case r <= 0x9f, r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
		return false
	}
	return true
}

// plausiblePath is all that is asked of a path where full validation comes
// later or not at all: a slash somewhere and no NUL.
func plausiblePath(path string) bool {
	return strings.IndexByte(path, '/') >= 0 && strings.IndexByte(path, 0) < 0
}
