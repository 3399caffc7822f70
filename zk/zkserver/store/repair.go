// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/rand"
	"errors"
)

// removeUnfinished removes files that were in the making.
func (s *Store) removeUnfinished(st *state) error {
	for _, name := range st.tmp {
		if err := s.fs.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// repair brings the directory into the state in which it can be appended to.
// Whenever it is cut short, the next Open comes to the same result.
func (s *Store) repair(st *state) error {
	if st.lost && !st.restored {
		// Before the mark forgets it.
		if err := writeWhole(s.fs, restoredName, nil); err != nil {
			return err
		}
	}
	if st.empty {
		return nil
	}
	s.id = st.id
	last := &st.segs[len(st.segs)-1]
	s.seq, s.zxid, s.segments = last.lastSeq, last.last, st.segments
	for i := range st.snaps {
		if st.snaps[i].err == nil {
			s.snapshots = append(s.snapshots, st.snaps[i].seq)
		} else {
			s.broken = append(s.broken, st.snaps[i].seq)
		}
	}
	s.snapshotSize = st.base.size
	for i := range st.segs {
		if st.segs[i].seq > st.base.seq {
			s.sinceBytes += st.segs[i].end
			s.sinceRecords += st.segs[i].records
		}
	}
	if err := s.repairTail(last); err != nil {
		return err
	}
	return s.renewMark(mark{turn: st.marked.turn + 1, seq: s.seq, zxid: s.zxid})
}

// repairTail cuts the last segment off behind its last valid batch, and writes
// again what the mark does not cover: if the system failed to write it, it may
// be in memory alone and count as written. So may the length be, which therefore
// changes before it becomes what it should be, and the zeros behind the batch,
// which therefore are not used.
func (s *Store) repairTail(last *segment) error {
	f, err := s.fs.Edit(segmentName(last.seq))
	if err != nil {
		return err
	}
	s.log, s.off, s.size = f, last.end, last.end
	for _, size := range []int64{last.end + 1, last.end} {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	const piece = 1 << 20
	for at := last.unmarked; at < last.end; at += piece {
		b := make([]byte, min(piece, last.end-at))
		if err := readAt(f, b, at); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return f.Sync()
}

// renewMark makes the file of the mark anew and opens it.
func (s *Store) renewMark(m mark) error {
	if s.marks != nil {
		err := s.marks.Close()
		s.marks = nil
		if err != nil {
			return err
		}
	}
	if err := writeMark(s.fs, s.id, m); err != nil {
		return err
	}
	f, err := s.fs.Edit(markName)
	if err != nil {
		return err
	}
	s.marks, s.mark, s.synced = f, m, true
	return nil
}

// create makes the mark and the first segment of an empty store, in place of
// those of an earlier attempt. The store stays empty until its first snapshot
// has been written.
func (s *Store) create(zxid int64) error {
	rand.Read(s.id[:])
	s.zxid = zxid
	if err := s.renewMark(mark{zxid: zxid}); err != nil {
		return err
	}
	return s.beginSegment()
}

// beginSegment makes the next segment and lets it be the last one.
func (s *Store) beginSegment() error {
	h := header{id: s.id, seq: s.seq + 1, zxid: s.zxid}
	name := segmentName(h.seq)
	if err := writeWhole(s.fs, name, h.encode(segmentMagic)); err != nil {
		return err
	}
	f, err := s.fs.Edit(name)
	if err != nil {
		return err
	}
	if s.log != nil {
		if err := s.log.Close(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.log, s.off, s.size, s.noRoom = f, headerSize, headerSize, false
	s.mu.Lock()
	s.segments = append(s.segments, h.seq)
	s.mu.Unlock()
	return nil
}
