// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
)

const (
	reserveName = "reserve"
	// repairBytes is what a start must find free: for a mark, a first batch and the
	// header of a segment.
	repairBytes = 64 << 10
	// fullPause is how much log there must be, where the disk is full, since the last
	// attempt to write a snapshot instead of it.
	fullPause = 256 << 10
)

// ErrFull says that there is no space for a snapshot that was to take the place of
// the log on a full disk. It does not stop the store: the log has everything, and
// goes on as long as that finds space.
var ErrFull = errors.New("no space for a snapshot")

// Full reports whether the disk was found to be full, so that the reserve was given
// up, or the room in the log, or has a reserve that is too small. A snapshot is the
// way out: it takes the place of the whole log, and makes the reserve anew.
func (s *Store) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *Store) setFull() {
	if s.opts.ReserveBytes > 0 {
		s.mu.Lock()
		s.full = true
		s.mu.Unlock()
	}
}

// findSpace sees that there is space for what a start has to write, and gives up the
// reserve where there is none.
func (s *Store) findSpace() error {
	if s.opts.ReserveBytes == 0 {
		return nil
	}
	const probe = reserveName + tmpSuffix
	f, err := s.fs.Create(probe)
	if err == nil {
		_, err = f.WriteAt(zeros[:repairBytes], 0)
		err = errors.Join(err, f.Close(), s.fs.Remove(probe))
	}
	if err == nil || !isFull(err) {
		return err
	}
	s.setFull()
	err = s.fs.Remove(reserveName)
	if errors.Is(err, os.ErrNotExist) {
		return nil // what is left may do
	}
	return errors.Join(err, s.fs.SyncDir())
}

// explain says what to do about an error of a start on a full disk.
func (s *Store) explain(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: the disk is full, and there is no reserve left to give up: free %d KiB on it, or copy the directory to a greater one", err, repairBytes>>10)
	}
	return err
}

// keepReserve makes the reserve as large as it should be: with it, the next snapshot
// fits on a full disk. Where it does not fit itself, it takes half of what is free
// and the log the rest. What it holds means nothing, so that a crash does not matter.
func (s *Store) keepReserve() error {
	if s.opts.ReserveBytes == 0 {
		return nil
	}
	s.mu.Lock()
	unit := s.opts.ReserveBytes
	want := (max(s.snapshotSize+repairBytes, 1) + unit - 1) / unit * unit
	s.mu.Unlock()
	f, err := s.fs.Edit(reserveName)
	created := errors.Is(err, os.ErrNotExist)
	if created {
		f, err = s.fs.Create(reserveName)
	}
	if err != nil {
		return err
	}
	size, err := extend(f, want)
	if err = errors.Join(err, f.Close()); err == nil && created {
		err = s.fs.SyncDir()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserve, s.full, s.postponed = size, size < want, 0
	if s.full {
		s.postponed = s.sinceBytes + fullPause
	}
	return err
}

// extend writes zeros behind a reserve, and returns how long it is.
func extend(f File, want int64) (size int64, err error) {
	if size, err = f.Size(); err != nil || size >= want {
		return size, err
	}
	begin := size
	for size < want && err == nil {
		n := min(want-size, int64(len(zeros)))
		if _, err = f.WriteAt(zeros[:n], size); err == nil {
			size += n
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if !isFull(err) {
		return size, err
	}
	// A piece of it may be there.
	if size, err = f.Size(); err != nil {
		return size, err
	}
	size = max(min(size, repairBytes), begin, begin+(size-begin)/2)
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	return size, err
}
