// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// backupAttempts is how often a backup begins anew because the server removed a
// file meanwhile.
const backupAttempts = 10

// Backup copies a store, which may be in use, to an empty directory: its newest
// snapshot, and the log up to what was on the disk when the copying began or
// later. It fails if the store, or what of it is copied while it is in use, is
// damaged so that [Open] would refuse it. The copy is checked, and marked so that [Recovered.Restored] says what
// it is. What is in the directory after an error is of no use.
func Backup(from, to FS) (*Report, error) {
	if err := to.MakeDir(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var err error
	for range backupAttempts {
		if err = backup(from, to); err == nil {
			report, _, err := Check(to)
			return report, err
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errGap) {
			break
		}
		if err := removeAll(to); err != nil {
			return nil, fmt.Errorf("store: back up: %w", err)
		}
	}
	return nil, fmt.Errorf("store: back up %s: %w", from.Name(), err)
}

// errGap says that a listing shows the files of different moments.
var errGap = errors.New("the segments do not follow each other")

func removeAll(fs FS) error {
	names, err := fs.List()
	for _, name := range names {
		err = errors.Join(err, fs.Remove(name))
	}
	return err
}

func backup(from, to FS) error {
	// A store that nobody has open is copied to its end; of one in use, the end
	// is what the mark says.
	lock, err := from.Lock(lockName, true)
	inUse := errors.Is(err, ErrInUse)
	if err != nil && !inUse {
		return err
	}
	if !inUse {
		defer lock.Close()
		if _, err := scan(from); err != nil {
			return err // a copy of what is left would look whole
		}
	}
	l, err := list(from)
	switch {
	case err != nil:
		return err
	case len(l.snapshots) == 0 || len(l.segments) == 0:
		return ErrNoStore
	}
	durable := uint64(math.MaxUint64)
	if inUse { // read after the listing: it covers all segments of that but the last
		marked, err := readMark(from)
		switch {
		case err != nil:
			return err
		case !marked.found:
			return damage(from, markName, marked.at, "%s", marked.what)
		}
		durable = marked.seq
	}
	snap := l.snapshots[0]
	if err := copyFile(from, to, snapshotName(snap), -1); err != nil {
		return err
	}
	first := len(l.segments) - 1
	for first > 0 && l.segments[first] > snap+1 {
		first--
	}
	return backupLog(from, to, l.segments[first:], durable)
}

// backupLog copies segments, the last one up to a batch, and notes where the copy
// ends.
func backupLog(from, to FS, segments []uint64, durable uint64) error {
	var end segment
	for i, seq := range segments {
		s, err := readDurable(from, seq, durable)
		if err == nil && i < len(segments)-1 && segments[i+1] != s.lastSeq+1 {
			err = errGap
		}
		if err == nil {
			err = copyFile(from, to, segmentName(seq), s.end)
		}
		if err != nil {
			return err
		}
		end = s
	}
	if err := writeMark(to, end.id, mark{seq: end.lastSeq, zxid: end.last, closed: true}); err != nil {
		return err
	}
	return writeWhole(to, restoredName, nil)
}

// readDurable reads a segment up to a batch: behind that one it may grow, or be
// cut, meanwhile.
func readDurable(fs FS, first, durable uint64) (segment, error) {
	f, s, err := openSegment(fs, first)
	if err != nil {
		return s, err
	}
	defer f.Close()
	err = s.read(f, durable, durable)
	if err == nil && s.tail != "" && durable < math.MaxUint64 {
		err = damage(fs, segmentName(first), s.end, "%s, but batch %d was on the disk", s.tail, durable)
	}
	return s, err
}

// copyFile copies a file, or its first size bytes if size is not negative.
func copyFile(from, to FS, name string, size int64) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if size < 0 {
		if size, err = in.Size(); err != nil {
			return err
		}
	}
	out, err := to.Create(name + tmpSuffix)
	if err != nil {
		return err
	}
	buf := make([]byte, min(1<<20, size))
	for at := int64(0); at < size && err == nil; {
		n := min(int64(len(buf)), size-at)
		if err = readAt(in, buf[:n], at); err == nil {
			_, err = out.WriteAt(buf[:n], at)
		}
		at += n
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return publish(to, name)
}
