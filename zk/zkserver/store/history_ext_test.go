// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A past is what a directory went through in several lives, and the model of
// what it has to hold: all records that were acknowledged, and behind them
// either the whole batch on its way when a life ended or nothing.
type past struct {
	*rand.Rand
	fs    *crashfs.FS
	lives int
	kept  []string // records in their order
	acked int      // how many of them are bound to be there
	zxid  int64    // the greatest

	st      *store.Store
	writing *store.SnapshotWriter // nil: none
	chunks  []string              // ... that it still has to be given
}

// historiesPerRound is how many histories a round of the crash tests has.
const historiesPerRound = 2

// Random histories of several lives, each of which ends at a random change of a
// random kind: in a loss of power, a kill or a failing disk.
func TestRandomHistories(t *testing.T) {
	seed := realtest.CrashSeed(t)
	ends := map[string]int{}
	for n := range realtest.CrashRounds(t) * historiesPerRound {
		p := &past{Rand: rand.New(rand.NewPCG(seed, uint64(n))), fs: crashfs.New("data")}
		for range 6 {
			end, err := p.life()
			if err != nil {
				t.Fatalf("seed %d, history %d, life %d, %s: %v", seed, n, p.lives, end, err)
			}
			ends[end]++
		}
	}
	t.Logf("lives by their end: %v", ends)
}

// life uses the directory until a fault happens, or there is enough of it, and
// leaves what a crash does. It says what kind of end that was; the error is a
// fault of the store.
func (p *past) life() (end string, err error) {
	p.lives++
	kinds := append(crashfs.Kinds(), "")
	kind := kinds[p.IntN(len(kinds))]
	most := map[string]int{crashfs.OpTruncate: 4, crashfs.OpRemove: 4, crashfs.OpRename: 8, crashfs.OpCreate: 8}[kind]
	if most == 0 {
		most = 60
	}
	at := 1 + p.IntN(most)
	failing := p.IntN(3) == 0
	if failing {
		p.fs.FailAt(at, kind, syscall.ENOSPC)
	} else {
		p.fs.CrashAt(at, kind)
	}
	err = p.use()
	switch {
	case err == nil && p.fs.Hit() && !p.fs.HitZeros():
		return kind, errors.New("the fault was not noticed")
	case err != nil && !errors.Is(err, crashfs.ErrCrashed) && !errors.Is(err, syscall.ENOSPC):
		return kind, err
	case err == nil:
		end = "any time"
	case failing:
		end = "failed " + kind
	default:
		end = "cut short " + kind
	}
	power := p.IntN(3) > 0
	if power {
		p.fs = p.fs.Kill().Crash(p.Rand)
		return end + ", power", nil
	}
	p.fs = p.fs.Kill()
	return end + ", kill", nil
}

// use opens the directory, compares it with the model, and does anything.
func (p *past) use() error {
	p.writing, p.chunks = nil, nil
	if err := p.open(); err != nil {
		return err
	}
	for range p.IntN(80) {
		if err := p.step(); err != nil {
			if p.fs.Hit() && p.refuses() == nil {
				return fmt.Errorf("appended in spite of %w", err)
			}
			return err
		}
	}
	return p.st.Err() // what is given up returns no error
}

// refuses returns why the store does not take another batch.
func (p *past) refuses() error {
	var b store.Batch
	b.Add(p.zxid+1, func(b []byte) []byte { return b })
	return p.st.Append(&b)
}

func (p *past) step() error {
	switch n := p.IntN(20); {
	case n == 0:
		return p.st.Settle()
	case n == 1:
		return p.reopen()
	case n == 2:
		return p.backup()
	case n < 8:
		return p.snapshot()
	}
	return p.append()
}

func (p *past) open() error {
	st, rec, err := store.Open(store.Options{FS: p.fs, SegmentBytes: 1 + p.Int64N(3000), SnapshotBytes: 1})
	if err != nil {
		return err
	}
	if p.IntN(2) == 0 {
		st.SetRoom(1+p.Int64N(2000), p.Int64N(1000))
	}
	p.st = st
	if err := p.compare(rec); err != nil {
		return err
	}
	if !rec.Empty() {
		return nil
	}
	p.zxid = max(p.zxid, baseZxid)
	w, err := st.BeginSnapshot(p.zxid)
	if err == nil {
		err = w.Write([]byte("nothing"))
	}
	if err == nil {
		err = w.Commit()
	}
	return err
}

// compare demands what the model says, and goes on from what is there.
func (p *past) compare(rec *store.Recovered) error {
	var got []string
	for chunk, err := range rec.Snapshot() {
		if err != nil {
			return err
		}
		if string(chunk) != "nothing" {
			got = append(got, string(chunk))
		}
	}
	for record, err := range rec.Records() {
		if err != nil {
			return err
		}
		got = append(got, string(record))
	}
	n := len(got)
	if n != p.acked && n != len(p.kept) {
		return fmt.Errorf("it holds %d records, want %d, or %d with the last batch", n, p.acked, len(p.kept))
	}
	for i := range got {
		if got[i] != p.kept[i] {
			return fmt.Errorf("record %d: got %q, want %q", i, got[i], p.kept[i])
		}
	}
	if rec.Restored() {
		return errors.New("it was taken for a backup or a loss")
	}
	if !rec.Empty() && p.st.Zxid() > p.zxid {
		return fmt.Errorf("zxid 0x%x, want no more than 0x%x", p.st.Zxid(), p.zxid)
	}
	p.kept, p.acked = got, n
	return nil
}

// append adds a batch. No record is like another of any life, so that none can
// come back from an earlier one unnoticed.
func (p *past) append() error {
	var b store.Batch
	p.kept = p.kept[:p.acked:p.acked]
	for i := range 1 + p.IntN(4) {
		size := p.IntN(100)
		if p.IntN(20) == 0 {
			size = p.IntN(4000) // several sectors
		}
		record := fmt.Sprintf("life %d, record %d, %d of its batch %s", p.lives, len(p.kept), i, strings.Repeat("x", size))
		p.kept = append(p.kept, record)
		p.zxid += 1 + p.Int64N(3)
		b.Add(p.zxid, func(b []byte) []byte { return append(b, record...) })
	}
	err := p.st.Append(&b)
	if err == nil {
		p.acked = len(p.kept)
	}
	return err
}

// snapshot begins a snapshot, or goes on with it, or ends it in some way.
func (p *past) snapshot() (err error) {
	w := p.writing
	switch {
	case w == nil && p.st.SnapshotDue():
		p.writing, err = p.st.BeginSnapshot(0)
		p.chunks = append([]string{"nothing"}, p.kept[:p.acked]...)
	case w == nil:
	case len(p.chunks) > 0 && p.IntN(20) == 0:
		w.Abort()
		p.writing = nil
	case len(p.chunks) > 0:
		n := 1 + p.IntN(len(p.chunks))
		for _, chunk := range p.chunks[:n] {
			if err = w.Write([]byte(chunk)); err != nil {
				w.Abort()
				return err
			}
		}
		p.chunks = p.chunks[n:]
	default:
		err = w.Commit()
		p.writing = nil
	}
	return err
}

// reopen ends this life in order and begins another.
func (p *past) reopen() error {
	if p.writing != nil {
		p.writing.Abort()
		p.writing = nil
	}
	if err := p.st.Close(); err != nil {
		return err
	}
	report, _, err := store.Check(p.fs)
	if err == nil && (!report.Closed || len(report.Damage)+len(report.Warnings) > 0) {
		err = fmt.Errorf("closed in order, and check says %+v", report)
	}
	if err != nil {
		return err
	}
	return p.open()
}

// backup demands that a copy holds what was acknowledged.
func (p *past) backup() error {
	to := crashfs.New("backup")
	if _, err := store.Backup(p.fs, to); err != nil {
		return err
	}
	st, rec, err := store.Open(store.Options{FS: to})
	if err != nil {
		return err
	}
	defer st.Close()
	if !rec.Restored() {
		return errors.New("a backup was not taken for one")
	}
	n := -1
	for _, err := range rec.Snapshot() {
		if err != nil {
			return err
		}
		n++
	}
	for _, err := range rec.Records() {
		if err != nil {
			return err
		}
		n++
	}
	if n != p.acked {
		return fmt.Errorf("the backup holds %d records, want %d", n, p.acked)
	}
	return nil
}
