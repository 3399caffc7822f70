// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkpath

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	good := []string{"/", "/a", "/a/b", "/é", "/a/.x", "/a/...", "/a/..x", "/\u2028", "/\uf900", "/a b:*", "/\uffef", "/\u00a0"}
	for _, path := range good {
		if err := Check(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	bad := map[string]string{ // and what the error names
		"": "not empty", "a": "begins with a slash", "./a": "begins with a slash", "//": "empty name", "/a/": "empty name", "/a//b": "empty name",
		"/.": ". or ..", "/a/..": ". or ..", "/./a": ". or ..", "/../a": ". or ..",
		"/\x00": "U+0000 in a path, as at byte 1", "/\x01": "U+0001", "/a\x1f": "U+001F in a path, as at byte 2", "/\x7f": "U+007F", "/\u0090": "U+0090",
		"/😀": "U+1F600", "/\ue000": "U+E000", "/\uf8ff": "U+F8FF", "/\ufff0": "U+FFF0", "/\ufffd": "U+FFFD",
		"/\xff": "byte 1, 0xff", "/é\xed\xa0\x80": "byte 3, 0xed",
	}
	for path, want := range bad {
		if err := Check(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", path, err, want)
		}
	}
}

func TestCheckSequential(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a/": true, "/a/.": true, "/..": true, "/a": true, "//": false, "": false, "a": false, "/./": false, "/\x01": false,
	} {
		if got := CheckSequential(path) == nil; got != want {
			t.Errorf("%q: accepted %v, want %v", path, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/a": "/a", "/a/": "/a", "/a/b/": "/a/b"} {
		if got, err := Clean(path); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"", "a/", "//", "/a//", "/./"} {
		if got, err := Clean(path); err == nil {
			t.Errorf("%q: got %q, want an error", path, got)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if err := Check("/rpc/é/server0000000003"); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// FuzzCheck compares the rule with a plain reading of PathUtils.validatePath,
// which looks at UTF-16 units.
func FuzzCheck(f *testing.F) {
	for _, path := range []string{"/", "/a/b", "//", "/a/", "/a/..", "/..a", "a", "/\x7f", "/\u009f", "/\u00a0", "/😀", "/\ufff0", "/\xff"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if err := Check(path); (err == nil) != plain(path) {
			t.Errorf("%q: got %v, want accepted %v", path, err, plain(path))
		}
		if err := CheckSequential(path); path != "" && (err == nil) != plain(path+"0") {
			t.Errorf("sequential %q: got %v, want accepted %v", path, err, plain(path+"0"))
		}
	})
}

func plain(path string) bool {
	if path == "/" {
		return true
	}
	if !utf8.ValidString(path) || !strings.HasPrefix(path, "/") {
		return false
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	for _, unit := range utf16.Encode([]rune(path)) {
		if unit <= 0x1f || unit >= 0x7f && unit <= 0x9f || unit >= 0xd800 && unit <= 0xf8ff || unit >= 0xfff0 {
			return false
		}
	}
	return true
}
