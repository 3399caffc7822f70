// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

// SnapshotDue reports whether it is time for a snapshot, and none is being
// written.
func (s *Store) SnapshotDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshotting || s.err != nil || s.sinceRecords == 0 || s.sinceBytes < s.postponed {
		return false
	}
	// A snapshot that failed to be whole is replaced soon.
	enough := s.full || s.sinceBytes >= s.opts.SnapshotBytes || s.sinceRecords >= s.opts.SnapshotRecords
	return len(s.broken) > 0 || enough && s.sinceBytes >= s.snapshotSize
}

// BeginSnapshot begins a snapshot of what all batches so far come to. It must
// say zxid on an empty store, which has that zxid from then on; else 0.
func (s *Store) BeginSnapshot(zxid int64) (*SnapshotWriter, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	busy, first := s.snapshotting, len(s.snapshots) == 0
	s.snapshotting = true
	s.mu.Unlock()
	if busy {
		return nil, s.stop("begin a snapshot", errSnapshotting)
	}
	w, err := s.beginSnapshot(zxid, first)
	if err != nil {
		return nil, s.stop("begin a snapshot", err)
	}
	return w, nil
}

func (s *Store) beginSnapshot(zxid int64, first bool) (*SnapshotWriter, error) {
	switch {
	case first && s.seq == 0:
		if err := s.create(zxid); err != nil {
			return nil, err
		}
	case s.off > headerSize:
		if err := s.rotate(); err != nil {
			return nil, err
		}
	}
	w := &SnapshotWriter{s: s, spare: s.Full(), header: header{id: s.id, seq: s.seq, zxid: s.zxid}}
	f, err := s.fs.Create(snapshotName(s.seq) + tmpSuffix)
	if err != nil {
		return nil, err
	}
	w.f = f
	s.mu.Lock()
	w.sinceBytes, w.sinceRecords = s.sinceBytes, s.sinceRecords
	s.sinceBytes, s.sinceRecords = 0, 0
	s.mu.Unlock()
	if err := w.put(w.header.encode(snapshotMagic)); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

func (s *Store) endSnapshot() {
	s.mu.Lock()
	s.snapshotting = false
	s.mu.Unlock()
}

// keepSnapshots is how many snapshots are kept, where the disk is not full.
const keepSnapshots = 2

// commitSnapshot gives a snapshot that is on the disk its name, and removes what
// is older than the one before it, or than itself where the disk is full.
func (s *Store) commitSnapshot(w *SnapshotWriter) error {
	defer s.endSnapshot()
	if err := publish(s.fs, snapshotName(w.header.seq)); err != nil {
		return s.stop("name a snapshot", err)
	}
	s.mu.Lock()
	if len(s.snapshots) == 0 || s.snapshots[0] != w.header.seq {
		s.snapshots = append([]uint64{w.header.seq}, s.snapshots...)
	}
	s.snapshotSize = w.off
	s.mu.Unlock()
	if err := s.purge(w.header.seq); err != nil {
		return s.stop("remove an old file", err)
	}
	if err := s.keepReserve(); err != nil {
		return s.stop("make the reserve", err)
	}
	return nil
}

// purge removes snapshots beyond those that are kept, and then the segments that
// none of these needs, oldest first. The directory is synced each time, so that
// what is left never has a hole.
func (s *Store) purge(newest uint64) error {
	names := s.surplus(newest)
	for _, name := range names {
		if err := s.fs.Remove(name); err != nil {
			return err
		}
		if err := s.fs.SyncDir(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) surplus(newest uint64) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, seq := range s.broken {
		if seq != newest { // else it has been replaced
			names = append(names, snapshotName(seq))
		}
	}
	s.broken = nil
	keep := keepSnapshots
	if s.full {
		keep = 1
	}
	for len(s.snapshots) > keep {
		last := len(s.snapshots) - 1
		names = append(names, snapshotName(s.snapshots[last]))
		s.snapshots = s.snapshots[:last]
	}
	oldest := s.snapshots[len(s.snapshots)-1]
	for len(s.segments) > 1 && s.segments[1] <= oldest+1 {
		names = append(names, segmentName(s.segments[0]))
		s.segments = s.segments[1:]
	}
	return names
}
