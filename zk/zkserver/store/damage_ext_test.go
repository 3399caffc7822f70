// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// keptFiles are the files that hold data.
func keptFiles(t *testing.T, fs *crashfs.FS) []string {
	t.Helper()
	return slices.Concat(names(t, fs, "log."), names(t, fs, "snapshot."), names(t, fs, "mark"))
}

// replaced returns a copy of a directory in which a file has other contents.
func replaced(fs *crashfs.FS, name string, contents []byte) *crashfs.FS {
	c := fs.Clone()
	c.Put(name, contents)
	return c
}

// One flipped byte anywhere is noticed, whether the process was killed, or the
// store closed in order, or opened again since: damage to the log keeps it from
// opening; where a snapshot or the mark is damaged, it is reported, and what was
// kept is there all the same.
func TestFlippedByte(t *testing.T) {
	killed := written(t, 16)
	closed := written(t, 16)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	later := must(t, closed.fs.Clone())
	if err := later.history(3); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*life{"killed": killed, "closed": closed, "later life": later} {
		t.Run(name, func(t *testing.T) {
			for _, file := range keptFiles(t, l.fs) {
				contents := l.fs.Read(file)
				for i := range contents {
					for _, flip := range []byte{0x01, 0xff} {
						b := bytes.Clone(contents)
						b[i] ^= flip
						noticed(t, l, replaced(l.fs, file, b), file, i)
					}
				}
			}
		})
	}
}

func noticed(t *testing.T, l *life, fs *crashfs.FS, file string, offset int) {
	t.Helper()
	report, _, err := store.Check(fs.Clone())
	after, openErr := begin(fs)
	var damaged *store.DamageError
	switch {
	case err != nil && openErr != nil:
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "data/") {
			t.Errorf("%s at %d: got %v, want an error that names the file", file, offset, err)
		}
	case err != nil || openErr != nil:
		t.Errorf("%s at %d: check says %v, open %v", file, offset, err, openErr)
	case len(report.Damage) == 0:
		t.Errorf("%s at %d: not noticed", file, offset)
	case strings.HasPrefix(file, "log."):
		t.Errorf("%s at %d: opened with damage to the log", file, offset)
	case after.next != l.next:
		t.Errorf("%s at %d: recovered up to %d, want %d", file, offset, after.next, l.next)
	}
}

// tail returns a directory, the contents of its last segment, and where the last
// batch begins.
func tail(t *testing.T) (l *life, segment string, contents []byte, start int, oldMark []byte) {
	t.Helper()
	l = written(t, 12)
	for range 10 {
		oldMark = l.fs.Read("mark")
		logs := names(t, l.fs, "log.")
		segment = logs[len(logs)-1]
		start = len(l.fs.Read(segment))
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
		if len(names(t, l.fs, "log.")) == len(logs) {
			return l, segment, l.fs.Read(segment), start, oldMark
		}
	}
	t.Fatal("each batch begins a segment")
	return l, "", nil, 0, nil
}

// A log that ends anywhere within its last batch loses that batch and nothing
// else. If it was known to be on the disk, that is reported, and the zxid is to
// jump.
func TestTruncatedTail(t *testing.T) {
	l, segment, contents, start, oldMark := tail(t)
	for _, marked := range []bool{false, true} {
		for cut := start; cut < len(contents); cut++ {
			fs := replaced(l.fs, segment, contents[:cut])
			if !marked {
				fs.Put("mark", oldMark)
			}
			after, err := begin(fs)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if after.next != l.next-3 || after.rec.Restored() != marked {
				t.Errorf("cut at %d: recovered up to %d, restored %v, want %d, %v", cut, after.next, after.rec.Restored(), l.next-3, marked)
			}
			again := must(t, fs.Kill())
			if again.next != after.next || again.rec.Restored() != marked {
				t.Errorf("cut at %d, opened again: up to %d, restored %v, want %d, %v", cut, again.next, again.rec.Restored(), after.next, marked)
			}
			if !marked {
				continue
			}
			if err := errors.Join(again.append(1), again.ClearRestored(), again.Close()); err != nil {
				t.Fatal(err)
			}
			if must(t, again.fs).rec.Restored() {
				t.Errorf("cut at %d: the loss is not forgotten", cut)
			}
		}
	}
}

// What the mark does not cover is told from damage only by what follows. This is
// the case that cannot be decided: after a loss of power, the very last batch.
func TestDamagedTail(t *testing.T) {
	l, segment, contents, start, oldMark := tail(t)
	for i := start; i < len(contents); i++ {
		b := bytes.Clone(contents)
		b[i] ^= 0x10
		fs := replaced(l.fs, segment, b)
		noticed(t, l, fs.Clone(), segment, i)
		fs.Put("mark", oldMark)
		if after := must(t, fs); after.next != l.next-3 {
			t.Errorf("flip at %d, not marked: recovered up to %d, want %d", i, after.next, l.next-3)
		}
	}
}

// reseal puts the right checksum behind the first 32 bytes of a file.
func reseal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[32:], crc32.Checksum(b[:32], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestDamage(t *testing.T) {
	l, segment, contents, start, oldMark := tail(t)
	logs, snaps := names(t, l.fs, "log."), names(t, l.fs, "snapshot.")
	if len(logs) < 3 || len(snaps) != 2 {
		t.Fatalf("got %d segments and %d snapshots, want 3 and 2", len(logs), len(snaps))
	}
	other := written(t, 12)
	remove := func(fs *crashfs.FS, files ...string) {
		for _, name := range files {
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	// oneMore appends a batch and leaves the store as a killed process does.
	oneMore := func(fs *crashfs.FS) {
		after := must(t, fs.Clone())
		if err := after.append(1); err != nil {
			t.Fatal(err)
		}
		if len(after.fs.Read(segment)) <= len(contents) {
			t.Fatal("the batch is in another segment")
		}
		fs.Put(segment, after.fs.Read(segment))
		fs.Put("mark", after.fs.Read("mark"))
	}
	closeIt := func(fs *crashfs.FS) {
		if err := must(t, fs).Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		do   func(fs *crashfs.FS)
		want string // of the error; "": it opens
		next uint64 // if it opens
	}{
		"nothing":                             {func(*crashfs.FS) {}, "", l.next},
		"no log":                              {func(fs *crashfs.FS) { remove(fs, logs...) }, "data/log.* is damaged", 0},
		"no snapshot":                         {func(fs *crashfs.FS) { remove(fs, snaps...) }, "there is a log but no snapshot", 0},
		"no newest snapshot":                  {func(fs *crashfs.FS) { remove(fs, snaps[1]) }, "", l.next},
		"a hole in the log":                   {func(fs *crashfs.FS) { remove(fs, logs[1]) }, logs[0], 0},
		"the beginning of the log is missing": {func(fs *crashfs.FS) { remove(fs, logs[0]) }, "", l.next},
		"... and of the snapshots the newest": {func(fs *crashfs.FS) { remove(fs, logs[0], snaps[1]) }, "the log begins with batch", 0},
		"the end of the log is missing":       {func(fs *crashfs.FS) { remove(fs, logs[len(logs)-1]) }, "was on the disk", 0},
		"no mark":                             {func(fs *crashfs.FS) { remove(fs, "mark") }, "", l.next},
		"an empty mark":                       {func(fs *crashfs.FS) { fs.Put("mark", nil) }, "", l.next},
		"no mark, and the log ends early": {func(fs *crashfs.FS) {
			remove(fs, "mark")
			fs.Put(segment, contents[:start+5])
		}, "", l.next - 3},
		"a mark of another store":    {func(fs *crashfs.FS) { fs.Put("mark", other.fs.Read("mark")) }, "another store", 0},
		"a segment of another store": {func(fs *crashfs.FS) { fs.Put(logs[0], other.fs.Read(logs[0])) }, "another store", 0},
		"a renamed segment":          {func(fs *crashfs.FS) { fs.Put(logs[1], contents) }, "was renamed", 0},
		"an empty segment":           {func(fs *crashfs.FS) { fs.Put(segment, nil) }, "ends within its header", 0},
		"zeros behind the end":       {func(fs *crashfs.FS) { fs.Put(segment, append(bytes.Clone(contents), make([]byte, 5000)...)) }, "", l.next},
		"... of a store that was closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, append(bytes.Clone(contents), 0))
		}, "closed in order", 0},
		"too short, and closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, contents[:len(contents)-1])
		}, "was on the disk", 0},
		"two batches missing": {func(fs *crashfs.FS) {
			oneMore(fs)
			fs.Put(segment, contents[:start+1])
		}, "was on the disk", 0},
		"a later batch follows, not marked": {func(fs *crashfs.FS) {
			oneMore(fs)
			b := fs.Read(segment)
			b[start+50] ^= 1
			fs.Put(segment, b)
			fs.Put("mark", oldMark)
		}, "follows at offset", 0},
		"a newer version": {func(fs *crashfs.FS) {
			b := bytes.Clone(contents)
			b[7] = 9
			fs.Put(segment, reseal(b))
		}, "format version 9, want 1", 0},
		"a newer version of a snapshot": {func(fs *crashfs.FS) {
			b := fs.Read(snaps[1])
			b[7] = 9
			fs.Put(snaps[1], reseal(b))
		}, "format version 9, want 1", 0},
		"both snapshots": {func(fs *crashfs.FS) {
			fs.Put(snaps[0], []byte("x"))
			fs.Put(snaps[1], nil)
		}, "no snapshot is whole", 0},
		"a huge chunk": {func(fs *crashfs.FS) {
			b := fs.Read(snaps[1])
			copy(b[36:], "\xff\xff\xff\xff")
			fs.Put(snaps[1], b)
		}, "", l.next},
		"leftovers": {func(fs *crashfs.FS) { fs.Put("log.0000000000000001.tmp", contents) }, "", l.next},
	} {
		t.Run(name, func(t *testing.T) {
			fs := l.fs.Clone()
			tt.do(fs)
			after, err := begin(fs)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want it to open", err)
			case tt.want == "" && after.next != tt.next:
				t.Errorf("recovered up to %d, want %d", after.next, tt.next)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			case tt.want == "" && len(names(t, fs, "log.0000000000000001.tmp")) > 0:
				t.Error("a file in the making is left")
			}
		})
	}
}

// A damaged snapshot is replaced by the next, which is due at once.
func TestDamagedSnapshotIsReplaced(t *testing.T) {
	l := written(t, 12)
	newest := names(t, l.fs, "snapshot.")[1]
	after := must(t, replaced(l.fs, newest, []byte("x")))
	if err := after.append(1); err != nil {
		t.Fatal(err)
	}
	if !after.SnapshotDue() {
		t.Fatal("no snapshot is due")
	}
	if err := errors.Join(after.snapshot(0), after.Close()); err != nil {
		t.Fatal(err)
	}
	if report := check(t, after.fs); len(report.Snapshots) != 2 {
		t.Errorf("got %d snapshots, want 2", len(report.Snapshots))
	}
}
