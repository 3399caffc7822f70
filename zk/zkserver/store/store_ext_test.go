// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		st, rec, err := store.Open(store.Options{FS: store.Dir(dir)})
		if err != nil {
			fmt.Println(err)
			return
		}
		if rec.Empty() {
			w, err := st.BeginSnapshot(100)
			if err == nil {
				err = errors.Join(w.Write([]byte("nothing yet")), w.Commit())
			}
			fmt.Println("begun:", err)
		}
		for chunk := range rec.Snapshot() { //nolint:errcheck // what comes of it is looked at elsewhere
			fmt.Printf("snapshot: %s\n", chunk)
		}
		for record := range rec.Records() { //nolint:errcheck // what comes of it is looked at elsewhere
			fmt.Printf("record: %s\n", record)
		}
		var b store.Batch
		b.Add(st.Zxid()+1, func(b []byte) []byte { return append(b, "a change"...) })
		fmt.Println("appended:", st.Append(&b))
		fmt.Println("closed:", st.Close())
	}
	// Output:
	// begun: <nil>
	// appended: <nil>
	// closed: <nil>
	// snapshot: nothing yet
	// record: a change
	// appended: <nil>
	// closed: <nil>
}

// A real directory: it is made, private, and open once at a time.
func TestDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	dir := store.Dir(path)
	if _, _, err := store.Check(dir); !errors.Is(err, store.ErrNoStore) {
		t.Errorf("check of nothing: got %v, want %v", err, store.ErrNoStore)
	}
	l, err := beginOptions(nil, small(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.history(40); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(small(dir)); !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("second open: got %v, want %v with the directory", err, store.ErrInUse)
	}
	if _, _, err := store.Check(dir); !errors.Is(err, store.ErrInUse) {
		t.Errorf("check while open: got %v, want %v", err, store.ErrInUse)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := beginOptions(nil, small(dir))
	if err != nil || after.next != l.next {
		t.Fatalf("opened again: got %+v, %v, want up to %d", after, err, l.next)
	}
	if err := errors.Join(after.Close(), after.Close()); err != nil {
		t.Errorf("close twice: %v", err)
	}
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700 | fs.ModeDir
		}
		if err == nil && info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", p, info.Mode(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(small(store.Dir(file))); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("open a file: got %v", err)
	}
}

func TestOptions(t *testing.T) {
	_, _, err := store.Open(store.Options{SegmentBytes: -1, SnapshotBytes: -2, SnapshotRecords: -3})
	for _, want := range []string{"FS", "SegmentBytes -1", "SnapshotBytes -2", "SnapshotRecords -3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// Wrong use stops the store like a failing disk does.
func TestMisuse(t *testing.T) {
	var empty store.Batch
	one := func(zxid int64) *store.Batch {
		var b store.Batch
		b.Add(zxid, func(b []byte) []byte { return b })
		return &b
	}
	for name, do := range map[string]func(l *life) error{
		"an empty batch":            func(l *life) error { return l.Append(&empty) },
		"a zxid that does not grow": func(l *life) error { return l.Append(one(baseZxid)) },
		"two snapshots at once": func(l *life) error {
			_, err := l.BeginSnapshot(0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.BeginSnapshot(0)
			return err
		},
		"an empty chunk": func(l *life) error {
			w, err := l.BeginSnapshot(0)
			if err != nil {
				t.Fatal(err)
			}
			return w.Write(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := must(t, crashfs.New("data"))
			err := do(l)
			if err == nil || !errors.Is(l.Err(), errors.Unwrap(err)) || l.append(1) == nil {
				t.Errorf("got %v and %v, want the store to stop with the error", err, l.Err())
			}
		})
	}
	st, _, err := store.Open(small(crashfs.New("data")))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Append(one(1)); err == nil {
		t.Error("append to an empty store: no error")
	}
}

// Segments that are full with their first batch, and of which none is begun twice.
func TestTinySegments(t *testing.T) {
	fs := crashfs.New("data")
	l, err := beginOptions(fs, store.Options{FS: fs, SegmentBytes: 1, SnapshotBytes: 1200})
	if err == nil {
		err = errors.Join(l.history(40), l.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if after := must(t, l.fs); after.next != l.next {
		t.Errorf("recovered up to %d, want %d", after.next, l.next)
	}
}

// A store that was cut short before its first snapshot is empty, although a
// segment is there: it has no records.
func TestEmptyWithSegment(t *testing.T) {
	for n := 1; ; n++ {
		fs := crashfs.New("data")
		fs.CrashAt(n, "")
		if _, err := begin(fs); err == nil {
			t.Fatal("no crash leaves a segment alone")
		}
		fs = fs.Kill()
		if len(names(t, fs, "log.")) == 0 || len(names(t, fs, "log.0000000000000001.tmp")) > 0 {
			continue
		}
		_, rec, err := store.Open(small(fs))
		if err != nil || !rec.Empty() {
			t.Fatalf("got %+v, %v, want it to be empty", rec, err)
		}
		for record, err := range rec.Records() {
			t.Errorf("got %q, %v, want nothing", record, err)
		}
		// As one leaves it that began to be repaired before its snapshot was lost.
		fs = fs.Kill()
		log := names(t, fs, "log.")[0]
		fs.Put(log, append(fs.Read(log), 0))
		if _, rec, err := store.Open(small(fs)); err != nil || !rec.Empty() {
			t.Errorf("with a zero in the segment: got %+v, %v, want it to be empty", rec, err)
		}
		return
	}
}

// A snapshot that is given up leaves nothing behind, and the next is due.
func TestAbortedSnapshot(t *testing.T) {
	l := must(t, crashfs.New("data"))
	for !l.SnapshotDue() {
		if err := l.append(3); err != nil {
			t.Fatal(err)
		}
	}
	w, err := l.BeginSnapshot(0)
	if err != nil {
		t.Fatal(err)
	}
	if l.SnapshotDue() {
		t.Error("another snapshot is due while one is written")
	}
	if err := l.append(1); err != nil { // meanwhile
		t.Fatal(err)
	}
	w.Abort()
	if !l.SnapshotDue() {
		t.Error("no snapshot is due after one was given up")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report := check(t, l.fs); len(report.Snapshots) != 1 {
		t.Errorf("got %+v, want 1 snapshot", report)
	}
	if after := must(t, l.fs); after.next != l.next {
		t.Errorf("recovered up to %d, want %d", after.next, l.next)
	}
}

// Batches that are appended while a snapshot is written are not in it, and are
// replayed.
func TestAppendDuringSnapshot(t *testing.T) {
	l := must(t, crashfs.New("data"))
	if err := l.append(5); err != nil {
		t.Fatal(err)
	}
	w, err := l.BeginSnapshot(0)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := *l
	for range 20 {
		if err := l.append(2); err != nil {
			t.Fatal(err)
		}
	}
	if err := snapshot.finish(w); err != nil {
		t.Fatal(err)
	}
	if after := must(t, l.fs.Kill()); after.next != l.next {
		t.Errorf("recovered up to %d, want %d", after.next, l.next)
	}
}

// A backup of a store in use holds what was acknowledged before it began.
func TestBackup(t *testing.T) {
	l := must(t, crashfs.New("data"))
	for i := range 60 {
		if err := l.history(2); err != nil {
			t.Fatal(err)
		}
		to := crashfs.New("backup")
		if _, err := store.Backup(l.fs, to); err != nil {
			t.Fatalf("backup %d: %v", i, err)
		}
		after := must(t, to)
		if after.next != l.next || !after.rec.Restored() {
			t.Fatalf("backup %d: up to %d, restored %v, want %d, true", i, after.next, after.rec.Restored(), l.next)
		}
	}
}

// The server appends, and removes files, while a backup reads them.
func TestBackupMeanwhile(t *testing.T) {
	l := must(t, crashfs.New("data"))
	for i := range 120 {
		if err := l.history(3); err != nil {
			t.Fatal(err)
		}
		acked := l.next
		from := &busyFS{FS: l.fs, left: i / 2, do: func() {
			if i%2 == 0 { // the last segment loses its room, and is not the last any more
				if err := l.snapshot(0); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.history(12); err != nil {
				t.Fatal(err)
			}
		}}
		to := crashfs.New("backup")
		if _, err := store.Backup(from, to); err != nil {
			t.Fatalf("backup %d: %v", i, err)
		}
		if after := must(t, to); after.next < acked || after.next > l.next {
			t.Fatalf("backup %d: up to %d, want %d to %d", i, after.next, acked, l.next)
		}
	}
}

// A busyFS does something before one of its files is opened or read, or after it
// has told its length.
type busyFS struct {
	store.FS
	left int
	do   func()
}

func (b *busyFS) tick() {
	if b.left--; b.left == 0 {
		b.do()
	}
}

func (b *busyFS) Open(name string) (store.File, error) {
	b.tick()
	f, err := b.FS.Open(name)
	return busyFile{f, b}, err
}

type busyFile struct {
	store.File
	fs *busyFS
}

func (f busyFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.tick()
	return f.File.ReadAt(b, off)
}

func (f busyFile) Size() (int64, error) {
	defer f.fs.tick()
	return f.File.Size()
}

func TestBackupFails(t *testing.T) {
	if _, err := store.Backup(crashfs.New("nothing"), crashfs.New("backup")); !errors.Is(err, store.ErrNoStore) {
		t.Errorf("of nothing: got %v, want %v", err, store.ErrNoStore)
	}
	l := written(t, 12)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	newest := names(t, l.fs, "snapshot.")[1]
	b := l.fs.Read(newest)
	b[100] ^= 1
	var damaged *store.DamageError
	if _, err := store.Backup(replaced(l.fs, newest, b), crashfs.New("backup")); !errors.As(err, &damaged) {
		t.Errorf("of a damaged store: got %v, want a *DamageError", err)
	}
	full := crashfs.New("backup")
	full.FailAt(5, "", io.ErrShortWrite)
	if _, err := store.Backup(l.fs, full); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("to a full disk: got %v, want its error", err)
	}
}
