// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// last returns the contents of the last segment.
func last(t *testing.T, fs *crashfs.FS) []byte {
	t.Helper()
	logs := names(t, fs, "log.")
	return fs.Read(logs[len(logs)-1])
}

// Batches are written over zeros, with one sync each, the one that makes the room
// too; the file is as long as a segment may be at most, and has no room behind a
// great batch. None of it counts as logged.
func TestRoom(t *testing.T) {
	fs := crashfs.New("data")
	l, err := beginOptions(fs, store.Options{FS: fs, SegmentBytes: 700 << 10})
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[int]bool{}
	for range 50 {
		syncs := fs.Count(crashfs.OpSync)
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
		if got := fs.Count(crashfs.OpSync) - syncs; got != 1 {
			t.Fatalf("%d syncs for a batch, want 1", got)
		}
		lengths[len(last(t, fs))] = true
	}
	if len(lengths) != 1 || !lengths[512<<10] {
		t.Errorf("got lengths %v, want 512 KiB each time", lengths)
	}
	end := logged(t, fs)
	if b := last(t, fs); end > 20_000 || len(bytes.Trim(b[end:], "\x00")) > 0 || b[end-1] == 0 {
		t.Errorf("%d bytes logged, and something behind them", end)
	}
	flipped := fs.Clone()
	name, contents := names(t, fs, "log.")[0], last(t, fs)
	contents[500_000] = 1
	flipped.Put(name, contents)
	if report := check(t, flipped); len(report.Warnings) != 1 {
		t.Errorf("something far behind the end: got warnings %q", report.Warnings)
	}

	var b store.Batch
	for range 10 {
		b.Reset()
		b.Add(l.Zxid()+1, func(b []byte) []byte { return append(b, make([]byte, 60<<10)...) })
		if err := l.Append(&b); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(last(t, fs)); got != 700<<10 {
		t.Errorf("the file has %d bytes, want 700 KiB and no more", got)
	}
	if err := l.snapshot(0); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	b.Add(l.Zxid()+1, func(b []byte) []byte { return append(b, make([]byte, 200<<10)...) })
	if err := l.Append(&b); err != nil {
		t.Fatal(err)
	}
	if got := len(last(t, fs)); got != logged(t, fs) {
		t.Errorf("the file has %d bytes behind a great batch, want %d", got, logged(t, fs))
	}
}

// Room is no damage, and what is left of it after the process has ended is cut off
// without a word. When a store is closed, or a segment is not the last any more,
// there is none.
func TestRoomEnds(t *testing.T) {
	killed := tail(t)
	if report := check(t, killed.fs.Clone()); len(report.Warnings) > 0 {
		t.Errorf("killed: got warnings %q", report.Warnings)
	}
	after := must(t, killed.fs.Kill())
	if got := len(last(t, after.fs)); got != killed.end {
		t.Errorf("opened again, the last segment has %d bytes, want %d", got, killed.end)
	}

	l := written(t, 40)
	if err := l.append(1); err != nil {
		t.Fatal(err)
	}
	if len(last(t, l.fs)) == logged(t, l.fs) {
		t.Fatal("the last segment has no room")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := check(t, l.fs)
	if !report.Closed || len(report.Segments) < 2 || len(report.Warnings) > 0 {
		t.Fatalf("got %+v, want it closed, with segments", report)
	}
	for _, s := range report.Segments {
		if got := len(l.fs.Read(s.Name)); int64(got) != s.Bytes {
			t.Errorf("%s has %d bytes, want %d", s.Name, got, s.Bytes)
		}
	}
}

// A store that was closed, or whose segment is not the last any more, has no room
// in it whenever the power fails, as programs expect that know of none.
func TestCrashInOrder(t *testing.T) {
	closed := false
	for seed := range uint64(400) {
		l := written(t, 7)
		l.fs.CrashAt(1+int(seed%40), "")
		err := l.append(1)
		if err == nil {
			err = l.snapshot(0)
		}
		if err == nil {
			err = l.append(1)
		}
		if err == nil {
			err = l.Close()
		}
		if err != nil && !errors.Is(err, crashfs.ErrCrashed) {
			t.Fatalf("seed %d: got %v, want the crash", seed, err)
		}
		closed = closed || err == nil
		left := l.fs.Crash(rand.New(rand.NewPCG(seed, 2)))
		report, _, err := store.Check(left.Clone())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, s := range report.Segments {
			if got := len(left.Read(s.Name)); (i < len(report.Segments)-1 || report.Closed) && int64(got) != s.Bytes {
				t.Errorf("seed %d: %s has %d bytes, want %d", seed, s.Name, got, s.Bytes)
			}
		}
		reopen(t, l, left, "crash", int(seed))
	}
	if !closed {
		t.Error("no crash comes late enough")
	}
}

// What was cut off does not come back when the sync of that failed, the process
// was started again, and the power fails after all: the second start must not take
// the length that the system shows for the one on the disk.
func TestFailedCut(t *testing.T) {
	for seed := range uint64(20) {
		l := tail(t)
		l.contents[l.start+50] ^= 1
		l.fs.Put(l.segment, l.contents)
		l.fs.Put("mark", l.oldMark)
		fs := l.fs.Kill()
		fs.FailAt(1, crashfs.OpSync, syscall.EIO)
		if _, err := begin(fs); !errors.Is(err, syscall.EIO) {
			t.Fatalf("got %v, want the failed sync", err)
		}
		fs = fs.Kill()
		after := must(t, fs)
		if err := after.snapshot(0); err != nil {
			t.Fatal(err)
		}
		reopen(t, after, fs.Crash(rand.New(rand.NewPCG(seed, 3))), "crash", int(seed))
	}
}

// A full disk takes a batch that fits although no room does. When that does not
// fit either, the store stops; nothing that was acknowledged is lost, before and
// after there is space again.
func TestFullDisk(t *testing.T) {
	for space := range int64(1200) {
		fs := crashfs.New("data")
		l, err := beginOptions(fs, store.Options{FS: fs, SegmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		l.SetRoom(300, 1<<20)
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
		before := len(last(t, fs)) - logged(t, fs) // room that is there already
		start := logged(t, fs)
		fs.Fill(space)
		for err == nil {
			err = l.append(1)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("space %d: got %v, want a full disk", space, err)
		}
		fs = fs.Kill()
		after := reopen(t, l, fs.Kill(), "full", int(space))
		used := logged(t, after.fs) - start
		if next := 40 + 4 + 8 + int(l.acked+1)*7%90; used+next <= int(space)+before {
			t.Fatalf("space %d: stopped with %d used of %d, although %d more would fit", space, used, int(space)+before, next)
		}
		for seed := range uint64(2) {
			reopen(t, l, fs.Kill().Crash(rand.New(rand.NewPCG(seed, uint64(space)))), "full, loss of power", int(space))
		}
	}
}

// Every other error of a write of zeros stops the store: the disk is not to be
// trusted then. So does one of giving the space back.
func TestRoomFails(t *testing.T) {
	for _, tt := range []struct {
		err    error
		goesOn bool
	}{
		{syscall.ENOSPC, true},
		{syscall.EDQUOT, true},
		{fmt.Errorf("wrapped: %w", syscall.EFBIG), true},
		{syscall.EIO, false},
		{errors.New("broken"), false},
	} {
		fs := crashfs.New("data")
		l, err := beginOptions(fs, store.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		fs.FailAt(1, crashfs.OpWrite, tt.err)
		err = l.append(1)
		if !fs.HitZeros() {
			t.Fatal("the first write is not one of zeros")
		}
		if tt.goesOn {
			if err = errors.Join(err, l.append(1), l.append(1)); err != nil || len(last(t, fs)) != logged(t, fs) {
				t.Errorf("%v: got %v and %d bytes, want it to go on without room", tt.err, err, len(last(t, fs)))
			}
			if err = errors.Join(l.snapshot(0), l.append(1)); err != nil || len(last(t, fs)) == logged(t, fs) {
				t.Errorf("%v: got %v and %d bytes, want room in the next segment", tt.err, err, len(last(t, fs)))
			}
		} else if !errors.Is(err, tt.err) || !errors.Is(l.append(1), tt.err) {
			t.Errorf("%v: got %v, want it to stop", tt.err, err)
		}
	}
	fs := &stuckFS{FS: crashfs.New("data")}
	st, _, err := store.Open(store.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	l := &life{Store: st, fs: fs.FS, next: 1}
	if err := l.snapshot(baseZxid); err != nil {
		t.Fatal(err)
	}
	fs.FailAt(1, crashfs.OpWrite, syscall.ENOSPC)
	if err := l.append(1); !errors.Is(err, syscall.EROFS) {
		t.Errorf("got %v, want the error of the truncation", err)
	}
}

// A stuckFS truncates no file.
type stuckFS struct{ *crashfs.FS }

func (s *stuckFS) Edit(name string) (store.File, error) {
	f, err := s.FS.Edit(name)
	return stuckFile{f}, err
}

type stuckFile struct{ store.File }

func (stuckFile) Truncate(int64) error { return syscall.EROFS }

// A backup fails if a batch is damaged that was on the disk: the copy would look
// whole without it.
func TestBackupOfDamage(t *testing.T) {
	l := tail(t)
	l.contents[l.start+50] ^= 1
	l.fs.Put(l.segment, l.contents)
	var damaged *store.DamageError
	for name, from := range map[string]*crashfs.FS{"in use": l.fs, "left by a process": l.fs.Clone()} {
		if _, err := store.Backup(from, crashfs.New("backup")); !errors.As(err, &damaged) || damaged.Offset != int64(l.start) {
			t.Errorf("%s: got %v, want damage at %d", name, err, l.start)
		}
	}
}

// BenchmarkAppend measures batches on the disk of the temporary directory, with room
// made for them and without.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 8 << 10, 32 << 10, 60 << 10, 256 << 10} {
		for name, batchBytes := range map[string]int64{"room": 64 << 10, "none": 0} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				st, _, err := store.Open(store.Options{FS: store.Dir(b.TempDir())})
				if err != nil {
					b.Fatal(err)
				}
				st.SetRoom(512<<10, batchBytes)
				l := &life{Store: st, next: 1}
				if err := l.snapshot(baseZxid); err != nil {
					b.Fatal(err)
				}
				record := bytes.Repeat([]byte("x"), size)
				var batch store.Batch
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					batch.Reset()
					batch.Add(st.Zxid()+1, func(b []byte) []byte { return append(b, record...) })
					if err := st.Append(&batch); err != nil {
						b.Fatal(err)
					}
				}
				if err := st.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
