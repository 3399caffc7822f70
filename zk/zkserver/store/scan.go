// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	lockName     = "LOCK"
	restoredName = "RESTORED"
)

// A listing is the files of a store by kind.
type listing struct {
	segments  []uint64 // ascending
	snapshots []uint64 // descending
	mark      bool
	restored  bool
	tmp       []string
}

func list(fs FS) (listing, error) {
	var l listing
	names, err := fs.List()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return l, err
	}
	for _, name := range names {
		if n, ok := number(name, segmentPrefix); ok {
			l.segments = append(l.segments, n)
		} else if n, ok := number(name, snapshotPrefix); ok {
			l.snapshots = append(l.snapshots, n)
		}
		l.mark = l.mark || name == markName
		l.restored = l.restored || name == restoredName
		if strings.HasSuffix(name, tmpSuffix) {
			l.tmp = append(l.tmp, name)
		}
	}
	slices.Sort(l.segments)
	slices.SortFunc(l.snapshots, func(a, b uint64) int { return cmp.Compare(b, a) })
	return l, nil
}

// A state is what was found in a directory, all of it read and checked.
type state struct {
	listing
	id       identity
	marked   markFile
	segs     []segment // contiguous
	snaps    []snapshot
	base     *snapshot // the newest that is valid
	empty    bool      // nothing was ever kept
	lost     bool      // the last segment ends too early, and that is tolerated
	warnings []string
	damage   []error // that can be gone on with
}

// scan reads and checks everything, and changes nothing.
func scan(fs FS) (*state, error) {
	l, err := list(fs)
	if err != nil {
		return nil, err
	}
	st := &state{listing: l}
	if err := st.readMark(fs); err != nil {
		return nil, err
	}
	if err := st.readLog(fs); err != nil {
		return nil, err
	}
	if st.isEmpty() {
		st.empty = true
		return st, nil
	}
	if err := st.readSnapshots(fs); err != nil {
		return nil, err
	}
	if err := st.checkIdentity(fs); err != nil {
		return nil, err
	}
	return st, st.judge(fs)
}

func (st *state) warnf(format string, args ...any) {
	st.warnings = append(st.warnings, fmt.Sprintf(format, args...))
}

func (st *state) readMark(fs FS) error {
	if !st.mark {
		return nil
	}
	m, err := readMark(fs)
	if err != nil {
		return err
	}
	if m.what != "" {
		st.damage = append(st.damage, damage(fs, markName, m.at, "%s", m.what))
	}
	st.marked = m
	return nil
}

// readLog reads the segments, which must follow each other.
func (st *state) readLog(fs FS) error {
	for i, first := range st.segments {
		s, err := scanSegment(fs, first, st.marked.seq)
		if err != nil {
			return err
		}
		if i > 0 {
			before := &st.segs[i-1]
			switch {
			case before.tail != "":
				return damage(fs, segmentName(before.seq), before.end, "%s, and it is not the last segment", before.tail)
			case before.lastSeq+1 != first:
				return damage(fs, segmentName(before.seq), before.end,
					"the next segment begins with batch %d, want %d: a file is missing or shorter than it was", first, before.lastSeq+1)
			case s.zxid != before.last:
				return damage(fs, segmentName(first), 0, "it follows zxid 0x%x, but the segment before it ends with 0x%x", s.zxid, before.last)
			}
		}
		st.segs = append(st.segs, s)
	}
	return nil
}

// isEmpty reports whether the store was never completely made: the first
// snapshot is the last file that is.
func (st *state) isEmpty() bool {
	if len(st.snapshots) > 0 || st.marked.seq > 0 || len(st.segs) > 1 {
		return false
	}
	return len(st.segs) == 0 || st.segs[0].seq == 1 && st.segs[0].batches == 0 && st.segs[0].tail == ""
}

func (st *state) readSnapshots(fs FS) error {
	for _, seq := range st.snapshots {
		s, err := readSnapshot(fs, seq, func([]byte) bool { return true })
		if _, ok := errors.AsType[*VersionError](err); ok {
			return err
		}
		if s.err = err; err != nil {
			st.damage = append(st.damage, err)
			s.seq = seq
		}
		st.snaps = append(st.snaps, s)
	}
	for i := range st.snaps {
		if st.snaps[i].err == nil {
			st.base = &st.snaps[i]
			return nil
		}
	}
	if len(st.snaps) > 0 {
		return fmt.Errorf("no snapshot is whole: %w", st.snaps[0].err)
	}
	return &DamageError{Dir: fs.Name(), File: snapshotPrefix + "*", What: "there is a log but no snapshot"}
}

// checkIdentity refuses files of different stores side by side.
func (st *state) checkIdentity(fs FS) error {
	st.id = st.base.id
	for i := range st.segs {
		if st.segs[i].id != st.id {
			return damage(fs, segmentName(st.segs[i].seq), 8, "it belongs to another store than %s", snapshotName(st.base.seq))
		}
	}
	if st.marked.found && st.marked.id != st.id {
		return damage(fs, markName, 8, "it belongs to another store than %s", snapshotName(st.base.seq))
	}
	if !st.marked.found && !st.mark {
		st.warnf("%s is missing and is written anew: damage to the last batch would not be found", markName)
	}
	return nil
}

// judge decides whether the log reaches from the snapshot to the mark, and what
// its end is.
func (st *state) judge(fs FS) error {
	if len(st.segs) == 0 {
		return &DamageError{Dir: fs.Name(), File: segmentPrefix + "*", What: "there is a snapshot but no log"}
	}
	first, last := &st.segs[0], &st.segs[len(st.segs)-1]
	if first.seq > st.base.seq+1 {
		return damage(fs, segmentName(first.seq), 0,
			"the log begins with batch %d, but the newest whole snapshot ends with %d", first.seq, st.base.seq)
	}
	if st.marked.seq > last.lastSeq {
		if err := st.judgeLoss(fs, last); err != nil {
			return err
		}
	} else if last.tail != "" {
		if err := st.judgeTail(fs, last); err != nil {
			return err
		}
	}
	if st.base.seq > last.lastSeq {
		return damage(fs, segmentName(last.seq), last.end, "the log ends with batch %d, but %s exists", last.lastSeq, snapshotName(st.base.seq))
	}
	return nil
}

// judgeLoss decides about a last segment that lacks what was on the disk.
func (st *state) judgeLoss(fs FS, last *segment) error {
	what := last.tail
	switch {
	case what != "":
	case last.size > last.end:
		what = "nothing but zeros follow the last batch"
	default:
		what = "the file ends"
	}
	if !last.short || st.marked.seq != last.lastSeq+1 || st.marked.closed {
		return damage(fs, segmentName(last.seq), last.end,
			"%s, but batch %d was on the disk, the last good one here is %d", what, st.marked.seq, last.lastSeq)
	}
	st.lost = true
	st.damage = append(st.damage, damage(fs, segmentName(last.seq), last.end,
		"%s: batch %d with zxid 0x%x is lost, which the disk had reported as written", what, st.marked.seq, st.marked.zxid))
	return nil
}

// judgeTail decides about the last segment's end that is not a valid batch: torn
// or damaged.
func (st *state) judgeTail(fs FS, last *segment) error {
	name := segmentName(last.seq)
	if st.marked.closed {
		return damage(fs, name, last.end, "%s, but the store was closed in order", last.tail)
	}
	offset, seq, err := laterBatch(fs, last)
	if err != nil {
		return fmt.Errorf("store: read %s: %w", name, err)
	}
	if seq > 0 {
		return damage(fs, name, last.end, "%s, but batch %d follows at offset %d", last.tail, seq, offset)
	}
	st.warnf("%s/%s at offset %d: %s: cutting off %d bytes that were being written when the server ended, nobody was told of them",
		fs.Name(), name, last.end, last.tail, last.size-last.end)
	return nil
}
