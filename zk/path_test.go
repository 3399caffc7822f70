// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"errors"
	"testing"
)

func TestCheckPath(t *testing.T) {
	good := []string{"/", "/a", "/a/b", "/é", "/a/.x", "/a/...", "/a/..x", "/\u2028", "/\uf900", "/a b:*", "/\uffef"}
	bad := []string{
		"", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/./a", "/\x00", "/\x01", "/\x1f", "/\x7f", "/\u0090",
		"/😀", "/\ue000", "/\uf8ff", "/\ufff0", "/\ufffd", "/\xff", "/\xed\xa0\x80",
	}
	for _, path := range good {
		if err := checkPath(path, false); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, path := range bad {
		if err := checkPath(path, false); !errors.Is(err, ErrBadArguments) {
			t.Errorf("%q: error %v, want ErrBadArguments", path, err)
		}
	}
	for path, want := range map[string]bool{"/": true, "/a/": true, "/a/.": true, "/a": true, "//": false, "": false} {
		if got := checkPath(path, true) == nil; got != want {
			t.Errorf("sequential %q: accepted %v, want %v", path, got, want)
		}
	}
}

func TestParent(t *testing.T) {
	for path, want := range map[string]string{"/a/b/c": "/a/b", "/a/b": "/a", "/a": "/", "/": "/", "": "/", "x": "/"} {
		if got := parent(path); got != want {
			t.Errorf("parent(%q) = %q, want %q", path, got, want)
		}
	}
}
