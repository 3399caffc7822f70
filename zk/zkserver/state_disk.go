// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// A DiskState is what is kept on the disk, and how long that takes.
type DiskState struct {
	Dir      string `json:"dir"`      // Options.DataDir
	Bytes    int64  `json:"bytes"`    // of all files in it
	Segments int    `json:"segments"` // files of the log

	// LogBytes and LogRecords are the log since the newest snapshot was begun:
	// what a start has to apply.
	LogBytes   int64 `json:"log_bytes"`
	LogRecords int   `json:"log_records"`

	Snapshots     int            `json:"snapshots"`      // that are kept
	SnapshotBytes int64          `json:"snapshot_bytes"` // of the newest
	Snapshotting  bool           `json:"snapshotting"`   // one is being written
	ReserveBytes  int64          `json:"reserve_bytes"`  // given up at a start on a full disk
	Full          bool           `json:"full"`           // there is hardly any space left: give the disk more
	LastSnapshot  *SnapshotState `json:"last_snapshot"`  // null: none was written since the server was made

	// Syncs is how long it took to append a batch and to sync it, SnapshotTimes to
	// write a snapshot, since the server was made or the word srst was sent.
	Syncs         MeasureState `json:"syncs"`
	SnapshotTimes MeasureState `json:"snapshot_times"`
}

// A SnapshotState tells of a snapshot that was written.
type SnapshotState struct {
	At     time.Time `json:"at"` // when it was complete
	TookMS int64     `json:"took_ms"`
	Zxid   Hex       `json:"zxid"` // of its version
	Znodes int       `json:"znodes"`
	Bytes  int64     `json:"bytes"`
}

// diskState returns what is kept, nil if nothing is.
func (s *Server) diskState() *DiskState {
	if s.disk == nil {
		return nil
	}
	u, times := s.disk.store.Usage(), s.stats.getDisk()
	st := &DiskState{
		Segments: u.Segments, LogBytes: u.LogBytes, LogRecords: u.LogRecords,
		Snapshots: u.Snapshots, SnapshotBytes: u.SnapshotBytes, Snapshotting: u.Snapshotting,
		ReserveBytes: u.ReserveBytes, Full: u.Full,
		LastSnapshot: s.disk.last.Load(),
		Syncs:        times.syncs.state(), SnapshotTimes: times.snapshots.state(),
	}
	st.Dir, st.Bytes = s.dataDir()
	return st
}

// dataDir returns where data is kept and how many bytes it takes: nothing and 0
// in memory.
func (s *Server) dataDir() (dir string, size int64) {
	dir = s.opts.DataDir
	if dir == "" {
		return "", 0
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return dir, 0
	}
	for _, file := range list {
		// A file may be gone by now: then it takes nothing.
		if info, err := file.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return dir, size
}

// openFiles returns how many files the process has open and may have, -1 where
// the system does not tell.
func openFiles() (open, most int64) {
	open, most = -1, -1
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		open = int64(len(list))
	}
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return open, most
	}
	_, rest, _ := strings.Cut(string(text), "Max open files")
	if fields := strings.Fields(rest); len(fields) > 0 {
		if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			most = n
		}
	}
	return open, most
}
