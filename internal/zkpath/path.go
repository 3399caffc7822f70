// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zkpath holds the one rule of what may be the path of a node in
// ZooKeeper: for targets, for the client, and for the embedded registry.
//
//	err := zkpath.Check("/rpc//x") // a path has no empty name: …
//
// A path is "/", or names that each follow a slash. A name is not empty, "." or
// "..", is UTF-8 and has none of the characters that ZooKeeper refuses: control
// characters, surrogates, private use and specials. ZooKeeper looks at UTF-16
// units, so everything beyond U+FFFF counts as surrogates.
//
// # Concurrency
//
// All functions may be called from any goroutine; there is no state.
//
// # Caveats
//
// A path that passes is one that ZooKeeper takes, and not yet one that it lets
// everybody write: /zookeeper is its own.
//
// Source: org.apache.zookeeper.common.PathUtils.
package zkpath

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What is wrong with a path, and what to do about it.
var (
	errEmpty    = errors.New("a path is not empty: write at least /")
	errRelative = errors.New("a path begins with a slash, as in /rpc: write it")
	errNoName   = errors.New("a path has no empty name: remove the double or last slash")
	errDots     = errors.New("a path has no name . or ..: write the path that it stands for")
)

// Check returns nil for what may be the path of a node, else what is wrong with
// it and what to do. It allocates nothing for a path that passes.
func Check(path string) error { return check(path, false) }

// CheckSequential is Check for a path that the server will append a number to:
// its last name may be empty, "." or "..".
func CheckSequential(path string) error { return check(path, true) }

// Clean drops the slash at the end, if there is one behind a name, and returns
// the path with what Check says of it.
func Clean(path string) (string, error) {
	if len(path) > len("//") {
		path = strings.TrimSuffix(path, "/")
	}
	return path, Check(path)
}

func check(path string, numbered bool) error {
	switch {
	case path == "":
		return errEmpty
	case path[0] != '/':
		return errRelative
	case path == "/":
		return nil
	}
	begin := 1 // of the present name
	for i := 1; i < len(path); {
		c := path[i]
		size := 1
		switch {
		case c == '/':
			if err := checkName(path[begin:i]); err != nil {
				return err
			}
			begin = i + 1
		case c < 0x20 || c == 0x7f:
			return refused(rune(c), i)
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRuneInString(path[i:]); r == utf8.RuneError && size == 1 {
				return fmt.Errorf("ZooKeeper refuses the character at byte %d, %#x, which is not UTF-8: write UTF-8", i, c)
			}
			if r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 {
				return refused(r, i)
			}
		}
		i += size
	}
	if numbered {
		return nil
	}
	return checkName(path[begin:])
}

func checkName(name string) error {
	switch name {
	case "":
		return errNoName
	case ".", "..":
		return errDots
	}
	return nil
}

func refused(r rune, at int) error {
	return fmt.Errorf("ZooKeeper refuses the character %U in a path, as at byte %d: write another one", r, at)
}
