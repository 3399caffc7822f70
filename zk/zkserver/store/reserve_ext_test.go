// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

const reserveBytes = 128 << 10

// reserved opens a store with a reserve, which takes snapshots only when it must.
func reserved(fs *crashfs.FS) (*life, error) {
	l, err := beginOptions(fs, store.Options{FS: fs, SegmentBytes: 1 << 20, SnapshotBytes: 1 << 30, ReserveBytes: reserveBytes})
	if err == nil {
		l.SetRoom(300, 1<<20)
	}
	return l, err
}

// filled returns a directory that its own log has filled, and what is acknowledged.
// There are space bytes for the log.
func filled(t *testing.T, space int64) *life {
	t.Helper()
	fs := crashfs.New("data")
	l, err := reserved(fs)
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(len(fs.Read("reserve"))); got != reserveBytes || l.Usage().ReserveBytes != got {
		t.Fatalf("the reserve has %d bytes, want %d", got, reserveBytes)
	}
	fs.Fill(space)
	for err == nil {
		err = l.append(1)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("space %d: got %v, want a full disk", space, err)
	}
	size := used(t, fs)
	l.fs = fs.Kill()
	limit(t, l.fs, size)
	return l
}

// used returns how many bytes all files take.
func used(t *testing.T, fs *crashfs.FS) (n int64) {
	t.Helper()
	for _, name := range names(t, fs, "") {
		n += int64(len(fs.Read(name)))
	}
	return n
}

// limit leaves space for so many bytes in all.
func limit(t *testing.T, fs *crashfs.FS, size int64) {
	t.Helper()
	fs.Fill(max(0, size-used(t, fs)))
}

// A store whose log has filled the disk can be opened again, whatever is left of the
// space; a snapshot then takes the place of the log, and there is a reserve again.
func TestFullDiskIsOpenedAgain(t *testing.T) {
	for space := int64(0); space < 5000; space += 37 {
		before := filled(t, space)
		after, err := reserved(before.fs)
		if err != nil {
			t.Fatalf("space %d: %v", space, err)
		}
		if !after.Full() || after.acked < before.acked {
			t.Fatalf("space %d: full %t, %d records, want it to be, and %d", space, after.Full(), after.acked, before.acked)
		}
		if err := errors.Join(after.append(1), after.snapshot(0)); err != nil {
			t.Fatalf("space %d: %v", space, err)
		}
		if logs, snaps := names(t, after.fs, "log."), names(t, after.fs, "snapshot."); len(logs) != 1 || len(snaps) != 1 {
			t.Errorf("space %d: %v and %v are kept, want one of each", space, logs, snaps)
		}
		if got := after.Usage(); got.ReserveBytes < reserveBytes/2 {
			t.Errorf("space %d: the reserve has %d bytes, want it back", space, got.ReserveBytes)
		}
		if err := errors.Join(after.append(1), after.Close()); space > 2000 && err != nil {
			t.Errorf("space %d: %v", space, err)
		}
		check(t, after.fs.Clone())
	}
}

// Whatever change the power fails at meanwhile, it can be opened after that.
func TestCrashOnAFullDisk(t *testing.T) {
	const space = 3000
	done := false
	for n := 1; !done; n++ {
		before := filled(t, space)
		fs, size := before.fs, used(t, before.fs)
		fs.CrashAt(n, "")
		after, err := reserved(fs)
		if err == nil {
			if err = after.append(1); err == nil {
				err = after.snapshot(0)
			}
			before.next, before.acked = after.next, after.acked
		}
		done = err == nil
		if !done && !errors.Is(err, crashfs.ErrCrashed) {
			t.Fatalf("change %d: %v", n, err)
		}
		for seed := range uint64(4) {
			left := fs.Kill()
			if seed > 0 {
				left = left.Crash(rand.New(rand.NewPCG(seed, uint64(n))))
			}
			limit(t, left, size)
			again, err := reserved(left)
			if err != nil {
				t.Fatalf("change %d: opened again: %v", n, err)
			}
			if again.acked < before.acked || again.next > before.next {
				t.Fatalf("change %d: %d records, want %d to %d", n, again.acked, before.acked, before.next-1)
			}
			if again.Full() {
				if err := again.snapshot(0); err != nil {
					t.Fatalf("change %d: snapshot: %v", n, err)
				}
			}
			if got := again.Usage().ReserveBytes; got < 64<<10 {
				t.Fatalf("change %d: a reserve of %d bytes", n, got)
			}
		}
	}
}

// A snapshot that does not fit is given up, and stops nothing; the store can be opened
// any number of times.
func TestSnapshotThatDoesNotFit(t *testing.T) {
	l := filled(t, 3000)
	size := used(t, l.fs)
	for range 50 {
		again, err := reserved(l.fs)
		if err != nil {
			t.Fatal(err)
		}
		w, err := again.BeginSnapshot(0)
		if err == nil {
			err = w.Write(make([]byte, 2*reserveBytes))
		}
		if !errors.Is(err, store.ErrFull) || again.Err() != nil {
			t.Fatalf("got %v, and the store says %v, want it to go on", err, again.Err())
		}
		w.Abort()
		if len(names(t, l.fs, "snapshot.")) != 1 || again.SnapshotDue() || !again.Full() {
			t.Fatalf("%v; due %t, full %t: want nothing of it, and a pause", names(t, l.fs, "snapshot."), again.SnapshotDue(), again.Full())
		}
		if got := again.Usage().ReserveBytes; got < 60<<10 {
			t.Fatalf("a reserve of %d bytes is left, want as much as a start takes", got)
		}
		l.fs = l.fs.Kill()
		limit(t, l.fs, size)
	}
}

// The reserve grows with what it is for.
func TestReserveGrows(t *testing.T) {
	l, err := reserved(crashfs.New("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.append(1); err != nil {
		t.Fatal(err)
	}
	w, err := l.BeginSnapshot(0)
	if err == nil {
		err = errors.Join(w.Write(make([]byte, 3*reserveBytes)), w.Commit())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Usage().ReserveBytes; got != 4*reserveBytes || l.Full() {
		t.Errorf("%d bytes behind a snapshot of %d, full %t", got, 3*reserveBytes, l.Full())
	}
}

// Where zeros do not fit any more, a snapshot is due; it makes space before the log
// has none.
func TestSnapshotMakesSpace(t *testing.T) {
	fs := crashfs.New("data")
	l, err := reserved(fs)
	if err != nil {
		t.Fatal(err)
	}
	l.SetRoom(2000, 1000)
	fs.Fill(9000)
	written := 0
	for range 3000 {
		if err := l.append(1); err != nil {
			t.Fatal(err)
		}
		if l.SnapshotDue() {
			if err := l.snapshot(0); err != nil {
				t.Fatal(err)
			}
			written++
		}
	}
	if written < 10 {
		t.Errorf("%d snapshots for many times the space, want more", written)
	}
}
