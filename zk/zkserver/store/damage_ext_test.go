// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// noticed demands that damage to a file at an offset is. Behind the last batch it
// is taken for one that was being written, and cut off.
func noticed(t *testing.T, l *life, fs *crashfs.FS, file string, offset int) {
	t.Helper()
	report, _, err := store.Check(fs.Clone())
	after, openErr := begin(fs)
	var damaged *store.DamageError
	inRoom := false
	if err == nil {
		last := report.Segments[len(report.Segments)-1]
		inRoom = file == last.Name && int64(offset) >= last.Bytes && len(report.Warnings) > 0 && after.acked == l.acked
	}
	switch {
	case err != nil && openErr != nil:
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "data/") {
			t.Errorf("%s at %d: got %v, want an error that names the file", file, offset, err)
		}
	case err != nil || openErr != nil:
		t.Errorf("%s at %d: check says %v, open %v", file, offset, err, openErr)
	case inRoom:
		if err := errors.Join(after.append(1), after.Close()); err != nil {
			t.Errorf("%s at %d: going on: %v", file, offset, err)
		}
		if again := must(t, fs); again.acked != after.acked {
			t.Errorf("%s at %d: gone on, and recovered up to %d, want %d", file, offset, again.acked, after.acked)
		}
	case len(report.Damage) == 0:
		t.Errorf("%s at %d: not noticed", file, offset)
	case strings.HasPrefix(file, "log."):
		t.Errorf("%s at %d: opened with damage to the log", file, offset)
	case after.next != l.next:
		t.Errorf("%s at %d: recovered up to %d, want %d", file, offset, after.next, l.next)
	}
}

// A tailed is a directory whose last segment ends with a batch of 3 and room for
// more.
type tailed struct {
	*life
	segment    string
	contents   []byte // of the segment
	start, end int    // of the batch
	oldMark    []byte // from before the batch
}

func tail(t *testing.T) *tailed {
	t.Helper()
	l := &tailed{life: written(t, 12)}
	for range 10 {
		l.oldMark = l.fs.Read("mark")
		logs := names(t, l.fs, "log.")
		l.segment = logs[len(logs)-1]
		l.start = logged(t, l.fs)
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
		l.contents, l.end = l.fs.Read(l.segment), logged(t, l.fs)
		if len(names(t, l.fs, "log.")) == len(logs) && len(l.contents) > l.end {
			return l
		}
	}
	t.Fatal("each batch begins a segment, or ends with the file")
	return nil
}

// zeroed returns the contents of the segment with zeros in a range.
func (l *tailed) zeroed(from, to int) []byte {
	b := bytes.Clone(l.contents)
	clear(b[from:to])
	return b
}

// A log that ends anywhere within its last batch, or has nothing but zeros from
// its beginning on, loses that batch and nothing else. If it was known to be on
// the disk, that is reported, and the zxid is to jump. Behind the batch, nothing is
// lost.
func TestTruncatedTail(t *testing.T) {
	l := tail(t)
	ends := map[string][]byte{}
	for cut := l.start; cut <= len(l.contents); cut++ {
		ends[fmt.Sprintf("cut at %d", cut)] = l.contents[:cut]
		ends[fmt.Sprintf("zeros and cut at %d", cut)] = l.zeroed(l.start, len(l.contents))[:cut]
	}
	for name, contents := range ends {
		lost := !bytes.HasPrefix(contents, l.contents[:l.end])
		want := l.next
		if lost {
			want -= 3
		}
		for _, marked := range []bool{false, true} {
			restored := marked && lost
			fs := replaced(l.fs, l.segment, contents)
			if !marked {
				fs.Put("mark", l.oldMark)
			}
			after, err := begin(fs)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if after.next != want || after.rec.Restored() != restored {
				t.Errorf("%s: recovered up to %d, restored %v, want %d, %v", name, after.next, after.rec.Restored(), want, restored)
			}
			again := must(t, fs.Kill())
			if again.next != after.next || again.rec.Restored() != restored {
				t.Errorf("%s, opened again: up to %d, restored %v, want %d, %v", name, again.next, again.rec.Restored(), after.next, restored)
			}
			if !restored {
				continue
			}
			if err := errors.Join(again.append(1), again.ClearRestored(), again.Close()); err != nil {
				t.Fatal(err)
			}
			if must(t, again.fs).rec.Restored() {
				t.Errorf("%s: the loss is not forgotten", name)
			}
		}
	}
}

// Zeros in a part of the last batch are damage if the batch was on the disk, and
// else a batch that was being written: a loss is only what leaves nothing of it.
func TestZerosInTail(t *testing.T) {
	l := tail(t)
	ends := map[string][]byte{}
	for at := l.start + 1; at < l.end; at++ {
		ends[fmt.Sprintf("from %d on", at)] = l.zeroed(at, len(l.contents))
		ends[fmt.Sprintf("up to %d", at)] = l.zeroed(l.start, at)
	}
	for at := l.end; at < len(l.contents); at++ {
		b := l.zeroed(l.start, l.end)
		b[at] = 1
		ends[fmt.Sprintf("but for %d", at)] = b
	}
	for name, contents := range ends {
		if bytes.Equal(contents, l.contents) || len(bytes.Trim(contents[l.start:], "\x00")) == 0 {
			continue
		}
		fs := replaced(l.fs, l.segment, contents)
		var damaged *store.DamageError
		if _, err := begin(fs.Clone()); !errors.As(err, &damaged) || damaged.File != l.segment || damaged.Offset != int64(l.start) {
			t.Errorf("%s: got %v, want damage to %s at %d", name, err, l.segment, l.start)
		}
		fs.Put("mark", l.oldMark)
		report := check(t, fs.Clone())
		if after := must(t, fs); after.next != l.next-3 || len(report.Warnings) == 0 {
			t.Errorf("%s, not marked: recovered up to %d, want %d; warnings: %q", name, after.next, l.next-3, report.Warnings)
		}
	}
}

// What the mark does not cover is told from damage only by what follows. This is
// the case that cannot be decided: after a loss of power, the very last batch.
func TestDamagedTail(t *testing.T) {
	l := tail(t)
	for i := l.start; i < l.end; i++ {
		b := bytes.Clone(l.contents)
		b[i] ^= 0x10
		fs := replaced(l.fs, l.segment, b)
		noticed(t, l.life, fs.Clone(), l.segment, i)
		fs.Put("mark", l.oldMark)
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
	l := tail(t)
	segment, contents := l.segment, l.contents
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
		if len(names(t, after.fs, "log.")) > len(logs) {
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
			fs.Put(segment, contents[:l.start+5])
		}, "", l.next - 3},
		"a mark of another store":    {func(fs *crashfs.FS) { fs.Put("mark", other.fs.Read("mark")) }, "another store", 0},
		"a segment of another store": {func(fs *crashfs.FS) { fs.Put(logs[0], other.fs.Read(logs[0])) }, "another store", 0},
		"a renamed segment":          {func(fs *crashfs.FS) { fs.Put(logs[1], contents) }, "was renamed", 0},
		"an empty segment":           {func(fs *crashfs.FS) { fs.Put(segment, nil) }, "ends within its header", 0},
		"zeros behind the end":       {func(fs *crashfs.FS) { fs.Put(segment, append(bytes.Clone(contents), make([]byte, 5000)...)) }, "", l.next},
		"... of a store that was closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, contents[:l.end+1])
		}, "", l.next},
		"... of a segment that is not the last": {func(fs *crashfs.FS) {
			fs.Put(logs[1], append(fs.Read(logs[1]), make([]byte, 100)...))
		}, "", l.next},
		"zeros and something else": {func(fs *crashfs.FS) {
			fs.Put(segment, append(bytes.Clone(contents), 0, 1))
		}, "", l.next},
		"zeros and something else, of a store that was closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, append(bytes.Clone(contents), 1))
		}, "closed in order", 0},
		"zeros and something else, of a segment that is not the last": {func(fs *crashfs.FS) {
			fs.Put(logs[1], append(fs.Read(logs[1]), 0, 1))
		}, "it is not the last segment", 0},
		"zeros for less than a header": {func(fs *crashfs.FS) { fs.Put(segment, contents[:l.end+1]) }, "", l.next},
		"no zeros behind the end":      {func(fs *crashfs.FS) { fs.Put(segment, contents[:l.end]) }, "", l.next},
		"too short, and closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, contents[:l.end-1])
		}, "was on the disk", 0},
		"zeros for the last batch, and closed": {func(fs *crashfs.FS) {
			closeIt(fs)
			fs.Put(segment, l.zeroed(l.start, l.end)[:l.end])
		}, "was on the disk", 0},
		"zeros for two batches": {func(fs *crashfs.FS) {
			oneMore(fs)
			fs.Put(segment, l.zeroed(l.start, len(contents)))
		}, "was on the disk", 0},
		"zeros for a batch, and a later one follows": {func(fs *crashfs.FS) {
			oneMore(fs)
			b := fs.Read(segment)
			clear(b[l.start:l.end])
			fs.Put(segment, b)
		}, "was on the disk", 0},
		"... and that is not marked": {func(fs *crashfs.FS) {
			oneMore(fs)
			b := fs.Read(segment)
			clear(b[l.start:l.end])
			fs.Put(segment, b)
			fs.Put("mark", l.oldMark)
		}, "follows at offset", 0},
		"two batches missing": {func(fs *crashfs.FS) {
			oneMore(fs)
			fs.Put(segment, contents[:l.start+1])
		}, "was on the disk", 0},
		"a later batch follows, not marked": {func(fs *crashfs.FS) {
			oneMore(fs)
			b := fs.Read(segment)
			b[l.start+50] ^= 1
			fs.Put(segment, b)
			fs.Put("mark", l.oldMark)
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
