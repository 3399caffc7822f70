// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

// A Usage is what the files of a [Store] come to.
type Usage struct {
	Segments      int
	Snapshots     int   // whole ones
	SnapshotBytes int64 // of the newest
	LogBytes      int64 // since the newest snapshot was begun
	LogRecords    int   // since then
	Snapshotting  bool  // a snapshot is being written
	ReserveBytes  int64 // see [Options.ReserveBytes]
	Full          bool  // see [Store.Full]
}

// Usage returns what there is now. It may be called from any goroutine.
func (s *Store) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Usage{
		Segments: len(s.segments), Snapshots: len(s.snapshots), SnapshotBytes: s.snapshotSize,
		LogBytes: s.sinceBytes, LogRecords: s.sinceRecords, Snapshotting: s.snapshotting,
		ReserveBytes: s.reserve, Full: s.full,
	}
}

// Size returns how many bytes have been written.
func (w *SnapshotWriter) Size() int64 { return w.off }
