// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package reload_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/reload"
)

var errBad = errors.New("bad content")

// parse joins the files; one that begins with "bad" is refused.
func parse(contents [][]byte) (string, error) {
	var parts []string
	for _, c := range contents {
		if strings.HasPrefix(string(c), "bad") {
			return "", errBad
		}
		parts = append(parts, string(c))
	}
	return strings.Join(parts, "+"), nil
}

// A fixture has files, a clock that the test turns, and notes of what was told.
type fixture struct {
	t    *testing.T
	dir  string
	now  time.Time
	told []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{t: t, dir: t.TempDir(), now: time.Unix(1_000_000, 0)}
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fixture) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// must ends the test at a change of the directory that failed.
func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) files(names ...string) reload.Files[string] {
	var paths []string
	for _, name := range names {
		paths = append(paths, f.path(name))
	}
	return reload.Files[string]{
		Paths: paths,
		Every: time.Second,
		Parse: parse,
		Now:   func() time.Time { return f.now },
		Changed: func(inUse string, err error) {
			f.told = append(f.told, fmt.Sprint(inUse, " ", err))
		},
	}
}

func (f *fixture) open(names ...string) *reload.Value[string] {
	f.t.Helper()
	v, err := f.files(names...).Open()
	f.must(err)
	return v
}

func (f *fixture) want(v *reload.Value[string], want string) {
	f.t.Helper()
	if got := v.Get(); got != want {
		f.t.Fatalf("got %q, want %q", got, want)
	}
}

func TestEvery(t *testing.T) {
	f := newFixture(t)
	f.write("a", "one")
	v := f.open("a")
	f.write("a", "two")
	f.now = f.now.Add(time.Second - 1)
	f.want(v, "one")
	f.now = f.now.Add(1)
	f.want(v, "two")
	f.write("a", "three")
	f.want(v, "two") // the second begins anew with each look
	f.now = f.now.Add(time.Second)
	f.want(v, "three")
	if want := []string{"two <nil>", "three <nil>"}; !slices.Equal(f.told, want) {
		t.Errorf("told %q, want %q", f.told, want)
	}
}

func TestEveryDefaultAndNever(t *testing.T) {
	f := newFixture(t)
	f.write("a", "one")
	files := f.files("a")
	files.Every = 0
	byDefault, err := files.Open()
	f.must(err)
	files.Every = -1
	never, err := files.Open()
	f.must(err)
	f.write("a", "two")
	f.now = f.now.Add(reload.DefaultEvery - 1)
	f.want(byDefault, "one")
	f.now = f.now.Add(1)
	f.want(byDefault, "two")
	f.now = f.now.Add(1000 * time.Hour)
	f.want(never, "one")
}

// TestWays changes a file in each way that programs do it.
func TestWays(t *testing.T) {
	for name, change := range map[string]func(f *fixture){
		"in place": func(f *fixture) { f.write("a", "two") },
		"in place, length and time as before": func(f *fixture) {
			info, err := os.Stat(f.path("a"))
			f.must(err)
			f.write("a", "neo")
			f.must(os.Chtimes(f.path("a"), info.ModTime(), info.ModTime()))
		},
		"rename": func(f *fixture) {
			f.write("new", "two")
			f.must(os.Rename(f.path("new"), f.path("a")))
		},
		"removed and made again": func(f *fixture) {
			f.must(os.Remove(f.path("a")))
			f.write("a", "two")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.write("a", "one")
			v := f.open("a")
			change(f)
			want, err := os.ReadFile(f.path("a"))
			f.must(err)
			f.now = f.now.Add(time.Second)
			f.want(v, string(want))
		})
	}
}

// TestLinkTurned changes files as Kubernetes does: a is a link to ..data/a, and
// ..data a link that is renamed over.
func TestLinkTurned(t *testing.T) {
	f := newFixture(t)
	for version, content := range map[string]string{"..v1": "one", "..v2": "two"} {
		f.must(os.Mkdir(f.path(version), 0o700))
		f.write(filepath.Join(version, "a"), content)
		f.write(filepath.Join(version, "b"), content)
	}
	f.must(os.Symlink("..v1", f.path("..data")))
	f.must(os.Symlink(filepath.Join("..data", "a"), f.path("a")))
	f.must(os.Symlink(filepath.Join("..data", "b"), f.path("b")))
	v := f.open("a", "b")
	f.want(v, "one+one")
	f.must(os.Symlink("..v2", f.path("..data_tmp")))
	f.must(os.Rename(f.path("..data_tmp"), f.path("..data")))
	f.must(os.RemoveAll(f.path("..v1")))
	f.now = f.now.Add(time.Second)
	f.want(v, "two+two")
}

// TestBad holds that what cannot be used changes nothing, is told once per change,
// and that the value follows as soon as the files are whole.
func TestBad(t *testing.T) {
	f := newFixture(t)
	f.write("a", "one")
	f.write("b", "one")
	v := f.open("a", "b")
	look := func(want string, told ...string) {
		t.Helper()
		for range 3 {
			f.now = f.now.Add(time.Second)
			f.want(v, want)
		}
		if !slices.Equal(f.told, told) {
			t.Fatalf("told %q, want %q", f.told, told)
		}
		f.told = nil
	}
	look("one+one")
	f.write("a", "bad")
	look("one+one", "one+one bad content")
	f.write("a", "bad again")
	look("one+one", "one+one bad content")
	f.write("a", "two")
	look("two+one", "two+one <nil>")
	f.must(os.Remove(f.path("b")))
	look("two+one", "two+one stat "+f.path("b")+": no such file or directory")
	f.write("a", "three") // b is still away
	look("two+one")
	f.write("b", "three")
	look("three+three", "three+three <nil>")
	f.write("a", "bad")
	look("three+three", "three+three bad content")
	f.write("a", "three") // back to what is in use
	look("three+three", "three+three <nil>")
}

func TestOpenErrors(t *testing.T) {
	f := newFixture(t)
	f.write("good", "one")
	f.write("bad", "bad")
	f.write("large", strings.Repeat("x", reload.MaxFileBytes+1))
	if _, err := f.files("good", "bad").Open(); !errors.Is(err, errBad) {
		t.Errorf("bad content: %v, want Parse's error", err)
	}
	for name, want := range map[string]string{
		"missing": "no such file",
		".":       "not a regular file",
		"large":   "larger than 4194304 bytes",
	} {
		_, err := f.files("good", name).Open()
		pathError, ok := errors.AsType[*fs.PathError](err)
		if !ok || pathError.Path != f.path(name) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a PathError of it with %q", name, err, want)
		}
	}
	f.write("largest", strings.Repeat("x", reload.MaxFileBytes))
	f.open("largest")
}

// TestSlowLook holds that a look that hangs holds up nobody else, and that there is
// one at a time.
func TestSlowLook(t *testing.T) {
	f := newFixture(t)
	f.write("a", "one")
	begun, release := make(chan struct{}), make(chan struct{})
	files := f.files("a")
	files.Parse = func(contents [][]byte) (string, error) {
		if string(contents[0]) == "two" {
			close(begun) // a second look at once would panic here
			<-release
		}
		return parse(contents)
	}
	v, err := files.Open()
	f.must(err)
	f.write("a", "two")
	f.now = f.now.Add(time.Second)
	looked := make(chan string)
	go func() { looked <- v.Get() }()
	<-begun
	f.want(v, "one")
	close(release)
	if got := <-looked; got != "two" {
		t.Errorf("who looked got %q, want two", got)
	}
	f.want(v, "two")
}

// TestTogether holds that callers at the same time see whole values, in order.
func TestTogether(t *testing.T) {
	f := newFixture(t)
	f.write("a", "0")
	files := f.files("a")
	files.Now, files.Every, files.Changed = nil, 1, nil
	v, err := files.Open()
	f.must(err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := ""; last != "9"; {
				got := v.Get()
				if len(got) > 1 || got < last {
					t.Errorf("got %q after %q", got, last)
					return
				}
				last = got
			}
		})
	}
	for i := 1; i <= 9; i++ {
		f.write("new", strconv.Itoa(i))
		f.must(os.Rename(f.path("new"), f.path("a")))
	}
	wg.Wait()
}
