// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for _, sequential := range []bool{false, true} {
		if err := checkPath("/a/b", sequential); err != nil {
			t.Errorf("/a/b: %v", err)
		}
		for path, want := range map[string]string{"": "not empty", "a": "begins with a slash", "/a//b": "empty name", "/\x01": "U+0001"} {
			err := checkPath(path, sequential)
			if !errors.Is(err, ErrBadArguments) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want ErrBadArguments with %q", path, err, want)
			}
		}
		if got := checkPath("/a/", sequential) == nil; got != sequential {
			t.Errorf("/a/, sequential %v: accepted %v", sequential, got)
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
