// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"iter"
)

// A Recovered is what a store held when it was opened. Its sequences may be run
// until the first Append or BeginSnapshot.
type Recovered struct {
	fs FS
	st *state
}

// Empty reports whether nothing was ever kept: a first snapshot must be written
// before anything else.
func (r *Recovered) Empty() bool { return r.st.empty }

// Restored reports whether the directory is a backup that was not open since, or
// has lost its last batch: clients may have seen greater zxids than [Store.Zxid],
// so that the next one must jump. It lasts until [Store.ClearRestored].
func (r *Recovered) Restored() bool { return r.st.restored || r.st.lost }

// Snapshot returns the chunks of the newest whole snapshot. Each is valid until
// the next. An error ends the sequence.
func (r *Recovered) Snapshot() iter.Seq2[[]byte, error] {
	if r.st.empty {
		return func(func([]byte, error) bool) {}
	}
	return chunks(r.fs, r.st.base.seq)
}

// Records returns the records since that snapshot in order. Each is valid until
// the next. An error ends the sequence.
func (r *Recovered) Records() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if r.st.empty {
			return // a segment may be there already
		}
		for i := range r.st.segs {
			s := &r.st.segs[i]
			if s.lastSeq <= r.st.base.seq {
				continue
			}
			goOn, err := s.replay(r.fs, r.st.base.seq, func(record []byte) bool { return yield(record, nil) })
			if err != nil {
				yield(nil, err)
				return
			}
			if !goOn {
				return
			}
		}
	}
}

// replay calls f with the records of the batches behind after, and reports
// whether f wants more.
func (s *segment) replay(fs FS, after uint64, f func([]byte) bool) (goOn bool, err error) {
	name := segmentName(s.seq)
	file, err := fs.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	r := batchReader{f: file, seed: s.id.seed(), size: s.end, off: headerSize, seq: s.seq, zxid: s.zxid}
	goOn = true
	for r.off < s.end && goOn {
		at := r.off
		h, payload, what, _, err := r.next()
		switch {
		case err != nil:
			return false, fmt.Errorf("store: read %s: %w", name, err)
		case what != "":
			return false, damage(fs, name, at, "%s", what)
		case h.seq > after:
			records(payload, h.count, func(record []byte) bool {
				goOn = f(record)
				return goOn
			})
		}
	}
	return goOn, nil
}
