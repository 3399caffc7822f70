// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkPath returns an error that wraps ErrBadArguments if path cannot be the
// name of a node. With sequential a number will be appended, so that it may end
// in a slash. Source: ZooKeeper's PathUtils.
func checkPath(path string, sequential bool) error {
	switch {
	case path == "":
		return fmt.Errorf("%w: the path is empty: write at least /", ErrBadArguments)
	case path[0] != '/':
		return fmt.Errorf("%w: the path does not begin with /", ErrBadArguments)
	case path == "/":
		return nil
	case !utf8.ValidString(path):
		return fmt.Errorf("%w: the path is not valid UTF-8", ErrBadArguments)
	}
	if sequential {
		path += "0"
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		switch part {
		case "":
			return fmt.Errorf("%w: the path has an empty part: remove the double or last /", ErrBadArguments)
		case ".", "..":
			return fmt.Errorf("%w: the path has the part %q: relative paths are not understood", ErrBadArguments, part)
		}
	}
	if i := strings.IndexFunc(path, forbidden); i >= 0 {
		r, _ := utf8.DecodeRuneInString(path[i:])
		return fmt.Errorf("%w: the path has the character %U at byte %d, which ZooKeeper does not allow", ErrBadArguments, r, i)
	}
	return nil
}

// forbidden tells whether no path may have r. Servers look at UTF-16 units, so
// that everything beyond U+FFFF counts as surrogates.
func forbidden(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0
}

// parent returns the path of a node's parent; the root's is the root.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
