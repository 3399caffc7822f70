// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import "fmt"

// A Report is what [Check] found.
type Report struct {
	Segments  []SegmentInfo  // in their order
	Snapshots []SnapshotInfo // newest first
	LastSeq   uint64         // of the last batch
	Zxid      int64          // of the last batch, or of the newest snapshot
	Closed    bool           // the store was closed in order
	Restored  bool           // see [Recovered.Restored]
	Warnings  []string       // what is as a crash leaves it
	Damage    []error        // what [Open] would go on with
}

// A SegmentInfo describes a segment of the log.
type SegmentInfo struct {
	Name             string
	Bytes            int64 // up to the end of the last batch: the file may be longer
	Batches, Records int
}

// A SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name  string
	Bytes int64
	Zxid  int64
	Err   error // nil: it is whole
}

// Check reads and checks everything in a directory and changes nothing. The
// error is one that [Open] would return, or [ErrNoStore]; the Recovered is what
// Open would find.
func Check(fs FS) (*Report, *Recovered, error) {
	lock, err := fs.Lock(lockName, true)
	if err != nil {
		return nil, nil, fmt.Errorf("store: %s: %w", fs.Name(), err)
	}
	defer lock.Close()
	st, err := scan(fs)
	switch {
	case err != nil:
		return nil, nil, err
	case st.empty:
		return nil, nil, fmt.Errorf("store: %s: %w", fs.Name(), ErrNoStore)
	}
	return st.report(), &Recovered{fs: fs, st: st}, nil
}

func (st *state) report() *Report {
	last := &st.segs[len(st.segs)-1]
	r := &Report{
		LastSeq: last.lastSeq, Zxid: last.last, Closed: st.marked.closed, Restored: st.restored || st.lost,
		Warnings: st.warnings, Damage: st.damage,
	}
	for i := range st.segs {
		s := &st.segs[i]
		r.Segments = append(r.Segments, SegmentInfo{segmentName(s.seq), s.end, s.batches, s.records})
	}
	for i := range st.snaps {
		s := &st.snaps[i]
		r.Snapshots = append(r.Snapshots, SnapshotInfo{snapshotName(s.seq), s.size, s.zxid, s.err})
	}
	return r
}
