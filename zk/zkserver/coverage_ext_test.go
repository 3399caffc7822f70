// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// A holder is what holds a behaviour: a scenario "name.txt", or "TestName", with
// "/name" behind it for a behaviour of both servers or a kind of random scenario,
// and " (DIR)" for a test of another package.
func holderExists(t *testing.T, holder string) bool {
	t.Helper()
	if strings.HasSuffix(holder, ".txt") {
		found, err := filepath.Glob(filepath.Join("testdata", "*", holder))
		return err == nil && len(found) == 1
	}
	name, dir, _ := strings.Cut(strings.TrimSuffix(holder, ")"), " (")
	name, sub, _ := strings.Cut(name, "/")
	switch {
	case name == "TestBoth" && both[sub] == nil:
		return false
	case name == "TestApache" && randoms[strings.TrimPrefix(sub, "random ")] == nil:
		return false
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			if string(m[1]) == name {
				return true
			}
		}
	}
	return false
}

// The list of behaviours names scenarios and tests that there are, and leaves out
// no scenario and nothing that is tried on both servers.
func TestCoverage(t *testing.T) {
	text, err := os.ReadFile("testdata/coverage.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		colon := strings.LastIndex(line, ": ")
		if colon < 0 {
			t.Errorf("%q: want a behaviour, a colon, and what holds it", line)
			continue
		}
		for holder := range strings.SplitSeq(line[colon+2:], ", ") {
			if !holderExists(t, holder) {
				t.Errorf("%q: there is no %q", line[:colon], holder)
			}
			named[holder] = true
		}
	}
	want := map[string]bool{}
	for _, sc := range loadScenarios(t) {
		want[sc.name()+".txt"] = true
	}
	for name := range both {
		want["TestBoth/"+name] = true
	}
	for name := range randoms {
		want["TestApache/random "+name] = true
	}
	for holder := range want {
		if !named[holder] {
			t.Errorf("%s holds nothing that testdata/coverage.txt names", holder)
		}
	}
}
