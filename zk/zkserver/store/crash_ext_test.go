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

// reopen opens what a crash has left and checks that it holds everything that
// was on the disk and nothing that was never written.
func reopen(t *testing.T, before *life, fs *crashfs.FS, what string, n int) *life {
	t.Helper()
	after, err := begin(fs)
	if err != nil {
		t.Fatalf("%s at change %d: %v", what, n, err)
	}
	if after.acked < before.acked || after.next > before.next {
		t.Fatalf("%s at change %d: recovered up to %d, want %d to %d", what, n, after.acked, before.acked, before.next-1)
	}
	if after.rec.Restored() {
		t.Fatalf("%s at change %d: taken for a loss", what, n)
	}
	return after
}

// check sees that a directory has nothing to complain of.
func check(t *testing.T, fs store.FS) *store.Report {
	t.Helper()
	report, _, err := store.Check(fs)
	if err != nil || len(report.Damage) > 0 {
		t.Fatalf("check: %v, %v", report, err)
	}
	return report
}

// crashesPerChange is how often the crash at one change is tried; the last time,
// the process is killed and the power stays on.
const crashesPerChange = 4

// Whatever change the power fails at, and whatever the disk keeps of what was not
// synced: what was acknowledged is there, and the store can be appended to.
func TestCrashAtEveryChange(t *testing.T) {
	whole := written(t, 40)
	total := whole.fs.Count("")
	if len(names(t, whole.fs, "snapshot.")) != 2 || names(t, whole.fs, "log.")[0] == "log.0000000000000001" {
		t.Fatal("the history is too short: nothing old was removed")
	}
	for n := 1; n <= total; n++ {
		for seed := range uint64(crashesPerChange) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			fs := crashfs.New("data")
			fs.CrashAt(n, "")
			l, err := begin(fs)
			if err == nil {
				err = l.history(40)
			}
			if !errors.Is(err, crashfs.ErrCrashed) {
				t.Fatalf("change %d: got %v, want the crash", n, err)
			}
			if l == nil {
				l = &life{next: 1}
			}
			left := fs.Crash(rng)
			if seed == crashesPerChange-1 {
				left = fs.Kill()
			}
			if seed == uint64(n)%crashesPerChange {
				crashAgain(t, l, left, rng, n)
			}
			after := reopen(t, l, left, "crash", n)
			if err := after.history(12); err != nil {
				t.Fatalf("change %d: going on: %v", n, err)
			}
			if err := after.Close(); err != nil {
				t.Fatalf("change %d: close: %v", n, err)
			}
			if !check(t, left).Closed {
				t.Fatalf("change %d: not closed in order", n)
			}
		}
	}
}

// crashAgain lets the power fail at every change of a recovery too.
func crashAgain(t *testing.T, before *life, fs *crashfs.FS, rng *rand.Rand, n int) {
	t.Helper()
	for m := 1; m < 40; m++ {
		left := fs.Clone()
		left.CrashAt(m, "")
		if _, err := begin(left); err == nil {
			return // there are no more changes
		}
		reopen(t, before, left.Crash(rng), "crash during recovery", n)
	}
	t.Fatalf("change %d: a recovery does not end", n)
}

// After the first error nothing is acknowledged any more. When the process is
// started again, and even when the power fails after that, everything that was
// acknowledged is there: also what the second life showed but a failed sync of
// the first had left in memory. Only where there is no space for zeros, the store
// goes on without.
func TestErrorAtEveryChange(t *testing.T) {
	total := written(t, 40).fs.Count("")
	spared := 0
	for n := 1; n <= total; n++ {
		fs := crashfs.New("data")
		fs.FailAt(n, "", syscall.ENOSPC)
		l, err := begin(fs)
		if err == nil {
			if err = l.history(40); err == nil && fs.HitZeros() {
				spared++
				reopen(t, l, fs.Kill(), "no room", n)
				continue
			}
			if err == nil {
				t.Fatalf("change %d: no error", n)
			}
			if again := l.append(1); !errors.Is(again, syscall.ENOSPC) {
				t.Fatalf("change %d: append after the error: got %v, want that error", n, again)
			}
			if _, again := l.BeginSnapshot(0); !errors.Is(again, syscall.ENOSPC) {
				t.Fatalf("change %d: snapshot after the error: got %v, want that error", n, again)
			}
			if again := l.Close(); !errors.Is(again, syscall.ENOSPC) {
				t.Fatalf("change %d: close after the error: got %v, want that error", n, again)
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("change %d: got %v, want the error", n, err)
		}
		if l == nil {
			l = &life{next: 1}
		}
		left := fs.Kill()
		after := reopen(t, l, left, "error", n)
		shown := &life{next: after.next, acked: after.acked}
		for seed := range uint64(4) {
			reopen(t, shown, left.Kill().Crash(rand.New(rand.NewPCG(seed, uint64(n)))), "error, restart and loss of power", n)
		}
	}
	if spared == 0 {
		t.Error("no write of zeros failed")
	}
}

// Each batch that is acknowledged has been synced.
func TestSyncPerBatch(t *testing.T) {
	l := must(t, crashfs.New("data"))
	for i := range 50 {
		before := l.fs.Count(crashfs.OpSync)
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
		if got := l.fs.Count(crashfs.OpSync) - before; got < 1 {
			t.Fatalf("batch %d: %d syncs", i, got)
		}
	}
}
