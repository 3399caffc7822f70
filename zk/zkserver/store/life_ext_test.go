// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A life is a store in use. What it keeps is the numbers from 1 on: each record
// holds the next, and a snapshot how far they go.
type life struct {
	*store.Store
	rec   *store.Recovered
	fs    *crashfs.FS
	next  uint64 // the number to come
	acked uint64 // the last one that is on the disk
}

const baseZxid = 1000

// small makes segments and snapshots follow each other quickly.
func small(fs store.FS) store.Options {
	return store.Options{FS: fs, SegmentBytes: 500, SnapshotBytes: 1200}
}

// begin opens a store that has little room in its log, and loads what it holds.
func begin(fs *crashfs.FS) (*life, error) {
	l, err := beginOptions(fs, small(fs))
	if err == nil {
		l.SetRoom(200, 1<<20)
	}
	return l, err
}

func beginOptions(fs *crashfs.FS, opts store.Options) (*life, error) {
	st, rec, err := store.Open(opts)
	if err != nil {
		return nil, err
	}
	l := &life{Store: st, rec: rec, fs: fs}
	if rec.Empty() {
		l.next = 1
		return l, errors.Join(l.snapshot(baseZxid))
	}
	if l.next, err = load(rec); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	l.acked = l.next - 1
	return l, nil
}

// load returns the number behind the last one that was kept. The numbers must
// follow each other.
func load(rec *store.Recovered) (uint64, error) {
	next := uint64(1)
	for chunk, err := range rec.Snapshot() {
		if err != nil {
			return 0, err
		}
		if len(chunk) == 8 {
			next = binary.BigEndian.Uint64(chunk)
		}
	}
	for record, err := range rec.Records() {
		if err != nil {
			return 0, err
		}
		if n := binary.BigEndian.Uint64(record); n != next {
			return 0, fmt.Errorf("the record %d follows %d", n, next-1)
		}
		next++
	}
	return next, nil
}

func must(t *testing.T, fs *crashfs.FS) *life {
	t.Helper()
	l, err := begin(fs)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// append keeps n more numbers in one batch.
func (l *life) append(n int) error {
	var b store.Batch
	for range n {
		next := l.next
		b.Add(baseZxid+int64(next), func(b []byte) []byte {
			b = binary.BigEndian.AppendUint64(b, next)
			return append(b, strings.Repeat("x", int(next*7%90))...)
		})
		l.next++
	}
	err := l.Append(&b)
	if err == nil {
		l.acked = l.next - 1
	}
	return err
}

// snapshot writes one of what is there.
func (l *life) snapshot(zxid int64) error {
	w, err := l.BeginSnapshot(zxid)
	if err != nil {
		return err
	}
	return l.finish(w)
}

func (l *life) finish(w *store.SnapshotWriter) error {
	err := w.Write(binary.BigEndian.AppendUint64(nil, l.next))
	for i := 0; i < 3 && err == nil; i++ {
		err = w.Write([]byte(strings.Repeat("filling", 20)))
	}
	if err != nil {
		w.Abort()
		return err
	}
	return w.Commit()
}

// history does a bit of everything until something fails.
func (l *life) history(batches int) error {
	for i := range batches {
		if err := l.append(1 + i%3); err != nil {
			return err
		}
		if i%5 == 4 {
			if err := l.Settle(); err != nil {
				return err
			}
		}
		if l.SnapshotDue() {
			if err := l.snapshot(0); err != nil {
				return err
			}
		}
	}
	return nil
}

// written returns a directory after a history, and the life that it had.
func written(t *testing.T, batches int) *life {
	t.Helper()
	l := must(t, crashfs.New("data"))
	if err := l.history(batches); err != nil {
		t.Fatal(err)
	}
	return l
}

// logged returns how many bytes of the last segment are batches and its header.
func logged(t *testing.T, fs *crashfs.FS) int {
	t.Helper()
	report, _, err := store.Check(fs.Clone())
	if err != nil {
		t.Fatal(err)
	}
	return int(report.Segments[len(report.Segments)-1].Bytes)
}

func names(t *testing.T, fs *crashfs.FS, prefix string) []string {
	t.Helper()
	all, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range all {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	return found
}
