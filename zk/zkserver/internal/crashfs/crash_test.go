// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// put makes a file as far as wanted.
func put(t *testing.T, fs *FS, name, contents string, sync, syncDir bool) store.File {
	t.Helper()
	f, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(contents), 0)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if syncDir {
		err = errors.Join(err, fs.SyncDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What was synced is there after every crash, and of the rest everything that can
// be there is, now and then.
func TestCrash(t *testing.T) {
	found := map[string]int{}
	for seed := range uint64(200) {
		fs := New("d")
		f := put(t, fs, "synced", "old", true, true)
		if _, err := f.WriteAt([]byte("new"), 0); err != nil {
			t.Fatal(err)
		}
		put(t, fs, "written", "w", false, true)
		put(t, fs, "renamed.tmp", "r", true, true)
		if err := fs.Rename("renamed.tmp", "renamed"); err != nil {
			t.Fatal(err)
		}
		put(t, fs, "created", "c", true, false)
		after := fs.Crash(rand.New(rand.NewPCG(seed, 0)))
		if _, err := fs.List(); !errors.Is(err, ErrCrashed) {
			t.Fatalf("list after the crash: got %v, want %v", err, ErrCrashed)
		}
		names, err := after.List()
		if err != nil {
			t.Fatal(err)
		}
		found["synced "+string(after.Read("synced"))]++
		found["written "+string(after.Read("written"))]++
		for _, name := range names {
			found[name]++
		}
		if slices.Contains(names, "renamed") == slices.Contains(names, "renamed.tmp") {
			t.Fatalf("seed %d: got %q, want the renamed file under one name", seed, names)
		}
	}
	for _, what := range []string{"synced old", "synced new", "written ", "written \x00", "written w", "renamed", "renamed.tmp", "created"} {
		if n := found[what]; n == 0 || n == 200 {
			t.Errorf("%q: %d of 200 times, want some", what, n)
		}
	}
	if found["synced"] != 200 || found["written"] != 200 {
		t.Errorf("got %v, want what was synced always", found)
	}
}

// What is written over what was synced is there by sectors and parts of sectors,
// in any order, with what stood there before in the rest; the length stays.
func TestCrashInPlace(t *testing.T) {
	const sectors = 4
	found := map[string]int{}
	for seed := range uint64(200) {
		fs := New("d")
		f := put(t, fs, "a", strings.Repeat("0", (sectors+1)*sector), true, true)
		if _, err := f.WriteAt(bytes.Repeat([]byte("1"), sectors*sector), sector/2); err != nil {
			t.Fatal(err)
		}
		got := fs.Crash(rand.New(rand.NewPCG(seed, 1))).Read("a")
		if len(got) != (sectors+1)*sector || len(bytes.Trim(got, "01")) > 0 || bytes.Contains(got[:sector/2], []byte("1")) {
			t.Fatalf("seed %d: got %d bytes, %q", seed, len(got), got)
		}
		for i := range sectors + 1 {
			s := got[i*sector:][:sector]
			if i == 0 {
				s = s[sector/2:]
			}
			switch ones := bytes.Count(s, []byte("1")); {
			case ones == 0:
				found["an old sector"]++
				if bytes.Contains(got[i*sector:], []byte("1")) {
					found["a later one without an earlier one"]++
				}
			case ones == len(s):
				found["a new sector"]++
			case i < sectors:
				found["a part"]++
			}
		}
	}
	for _, what := range []string{"an old sector", "a new sector", "a later one without an earlier one", "a part"} {
		if found[what] == 0 {
			t.Errorf("%s: never", what)
		}
	}
}

// A write to a full disk is done as far as there is space, which what is written
// over what was there does not need.
func TestFill(t *testing.T) {
	fs := New("d")
	f := put(t, fs, "a", "old", true, true)
	fs.Fill(2)
	if n, err := f.WriteAt([]byte("new"), 0); n != 3 || err != nil {
		t.Errorf("in place: got %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("wxyz"), 2); n != 3 || !errors.Is(err, syscall.ENOSPC) || string(fs.Read("a")) != "newxy" {
		t.Errorf("beyond the space: got %d, %v, %q", n, err, fs.Read("a"))
	}
	fs.Fill(-1)
	if n, err := f.WriteAt([]byte("more"), 5); n != 4 || err != nil {
		t.Errorf("with space again: got %d, %v", n, err)
	}
}

// A sync that fails loses what it was for, although that is still shown.
func TestFailedSync(t *testing.T) {
	fs := New("d")
	f := put(t, fs, "a", "old", true, true)
	bad := errors.New("bad")
	fs.FailAt(2, "", bad)
	_, err := f.WriteAt([]byte("new"), 0)
	if err != nil || !errors.Is(f.Sync(), bad) || !fs.Hit() || f.Sync() != nil || fs.SyncDir() != nil {
		t.Fatal("the second change from now should fail, and no other")
	}
	if got := string(fs.Read("a")); got != "new" {
		t.Errorf("shown: got %q, want %q", got, "new")
	}
	for seed := range uint64(20) {
		if got := string(fs.Kill().Crash(rand.New(rand.NewPCG(seed, 0))).Read("a")); got != "old" {
			t.Fatalf("after a crash: got %q, want %q", got, "old")
		}
		fs = fs.Kill()
	}
	if fs.Count("") != 0 || len(fs.locks) != 0 {
		t.Error("a directory after a crash is not fresh")
	}
}
