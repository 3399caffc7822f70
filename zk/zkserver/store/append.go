// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
)

var (
	errSnapshotting = errors.New("a snapshot is being written already")
	errNoSnapshot   = errors.New("the store is empty: write its first snapshot")
	errZxid         = errors.New("the zxid does not grow")
)

// Append writes a batch and returns nil when it is on the disk. The batch must
// not be empty, and its zxid must be greater than that of the one before. Any
// error stops the store for good; the batch may be there or not when it is opened
// again.
func (s *Store) Append(b *Batch) error {
	if err := s.Err(); err != nil {
		return err
	}
	switch {
	case s.log == nil:
		return s.stop("append", errNoSnapshot)
	case b.err != nil:
		return s.stop("append", b.err)
	case b.count == 0 || b.zxid <= s.zxid:
		return s.stop("append", fmt.Errorf("%w: a batch of %d records with 0x%x follows 0x%x", errZxid, b.count, b.zxid, s.zxid))
	}
	if s.off > headerSize && s.off >= s.opts.SegmentBytes {
		if err := s.rotate(); err != nil {
			return s.stop("begin a segment", err)
		}
	}
	data := b.seal(s.id.seed(), s.seq+1)
	if err := s.makeRoom(int64(len(data))); err != nil {
		return s.stop("make room in the log", err)
	}
	if _, err := s.log.WriteAt(data, s.off); err != nil {
		return s.stop("write the log", err)
	}
	if err := s.log.Sync(); err != nil {
		return s.stop("sync the log", err)
	}
	s.off += int64(len(data))
	s.size = max(s.size, s.off)
	s.mu.Lock()
	s.seq++
	s.zxid = b.zxid
	s.sinceBytes += int64(len(data))
	s.sinceRecords += b.Len()
	s.mu.Unlock()
	if err := s.writeMark(false); err != nil {
		return s.stop("write the mark", err)
	}
	return nil
}

// writeMark notes that everything appended so far is on the disk.
func (s *Store) writeMark(closed bool) error {
	s.mark = mark{turn: s.mark.turn + 1, seq: s.seq, zxid: s.zxid, closed: closed}
	s.synced = false
	slot := int64(s.mark.turn%markSlots) * markStride
	_, err := s.marks.WriteAt(s.mark.append(make([]byte, 0, markSlotSize), s.id), slot)
	return err
}

// Settle makes the mark durable if it is not. It should be called about once a
// second: from then on, damage to any batch is told from one that was cut short.
func (s *Store) Settle() error {
	if err := s.Err(); err != nil {
		return err
	}
	return s.settle(false)
}

func (s *Store) settle(closing bool) error {
	if s.marks == nil || s.synced && !closing {
		return nil
	}
	if closing {
		if err := s.writeMark(true); err != nil {
			return s.stop("write the mark", err)
		}
	}
	if err := s.marks.Sync(); err != nil {
		return s.stop("sync the mark", err)
	}
	s.synced = true
	return nil
}

// rotate begins a segment. The mark covers all segments but the last, and these
// end with their last batch.
func (s *Store) rotate() error {
	if err := s.settle(false); err != nil {
		return err
	}
	if err := s.trim(); err != nil {
		return err
	}
	return s.beginSegment()
}
