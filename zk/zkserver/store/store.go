// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Options are the settings of a [Store]. Every zero value but that of FS is the
// documented default.
type Options struct {
	// FS is the directory, see [Dir].
	FS FS
	// SegmentBytes is how long a segment may become before the next is begun.
	// Default 64 MiB.
	SegmentBytes int64
	// SnapshotBytes and SnapshotRecords are after how much log since the last
	// snapshot [Store.SnapshotDue] asks for the next one, which happens at least
	// after as many bytes as the last snapshot took. Defaults 64 MiB and 1,000,000.
	SnapshotBytes   int64
	SnapshotRecords int
	// ReserveBytes is what a file takes that is given up when the store is opened on
	// a full disk, so that it can be opened, and a snapshot can take the place of the
	// log that has filled it. It becomes a multiple of that where the newest snapshot
	// takes more. Default 0: there is none, and a full disk must be given more space
	// first.
	ReserveBytes int64
	// Logger receives warnings. nil: nothing is logged.
	Logger *slog.Logger
}

const (
	defaultSegmentBytes    = 64 << 20
	defaultSnapshotBytes   = 64 << 20
	defaultSnapshotRecords = 1_000_000
)

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.SnapshotBytes == 0 {
		o.SnapshotBytes = defaultSnapshotBytes
	}
	if o.SnapshotRecords == 0 {
		o.SnapshotRecords = defaultSnapshotRecords
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// check returns everything that is wrong with the options.
func (o *Options) check() error {
	var errs []error
	if o.FS == nil {
		errs = append(errs, errors.New("store: FS is nil: want a directory, such as Dir(path)"))
	}
	for _, v := range []struct {
		name  string
		value int64
	}{{"SegmentBytes", o.SegmentBytes}, {"SnapshotBytes", o.SnapshotBytes}, {"SnapshotRecords", int64(o.SnapshotRecords)}, {"ReserveBytes", o.ReserveBytes}} {
		if v.value < 0 {
			errs = append(errs, fmt.Errorf("store: %s %d: want a positive number, or 0 for the default", v.name, v.value))
		}
	}
	return errors.Join(errs...)
}

// A Store is an open directory. [Open] makes one.
type Store struct {
	opts Options
	fs   FS
	id   identity
	lock io.Closer
	room room // how much is made at a time

	// Of the goroutine that appends.
	log    File // the last segment
	off    int64
	size   int64 // of log: what is behind off are zeros
	noRoom bool  // there was no space for more of them
	marks  File
	mark   mark
	synced bool // the mark is on the disk as it is

	mu           sync.Mutex // guards what follows
	err          error      // why the store stopped
	seq          uint64     // of the last batch
	zxid         int64
	segments     []uint64 // ascending
	snapshots    []uint64 // the whole ones, descending
	broken       []uint64 // the others, to be removed
	snapshotting bool
	snapshotSize int64 // of the newest
	sinceBytes   int64 // of log, since the newest snapshot was begun
	sinceRecords int
	reserve      int64 // bytes of it
	full         bool  // see Full
	postponed    int64 // sinceBytes from which on the next snapshot is due
}

// Open locks a directory, which it makes if it is not there, checks everything
// in it, cuts off what a crash has left half written, and returns the store and
// what it holds. The error is a [*DamageError] or [*VersionError] if the files
// are not usable, and is [ErrInUse] if somebody else has the store open.
func Open(opts Options) (*Store, *Recovered, error) {
	if err := opts.check(); err != nil {
		return nil, nil, err
	}
	opts = opts.withDefaults()
	fs := opts.FS
	if err := fs.MakeDir(); err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	lock, err := fs.Lock(lockName, false)
	if err != nil {
		return nil, nil, fmt.Errorf("store: %s: %w", fs.Name(), err)
	}
	s := &Store{opts: opts, fs: fs, lock: lock, room: room{roomBytes, roomBatchBytes}}
	rec, err := s.open()
	if err != nil {
		s.closeFiles()
		return nil, nil, err
	}
	return s, rec, nil
}

func (s *Store) open() (*Recovered, error) {
	st, err := scan(s.fs)
	if err != nil {
		return nil, err
	}
	for _, w := range st.warnings {
		s.opts.Logger.Warn("data directory", slog.String("warning", w))
	}
	for _, err := range st.damage {
		s.opts.Logger.Error("data directory: going on in spite of damage", slog.Any("error", err))
	}
	if err := s.restore(st); err != nil {
		return nil, fmt.Errorf("store: %w", s.explain(err))
	}
	return &Recovered{fs: s.fs, st: st}, nil
}

// restore repairs what was found, and keeps the reserve or gives it up.
func (s *Store) restore(st *state) error {
	if err := s.removeUnfinished(st); err != nil {
		return err
	}
	if err := s.findSpace(); err != nil {
		return err
	}
	if err := s.repair(st); err != nil {
		return err
	}
	if st.empty || s.full {
		return nil // once there is a snapshot
	}
	return s.keepReserve()
}

// Err returns why the store has stopped, or nil.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stop stops the store for good, unless it has been before, and returns why.
func (s *Store) stop(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("store: %s in %s: %w", op, s.fs.Name(), err)
	}
	return s.err
}

// Zxid returns the zxid of the last batch, or that of the snapshot if there is
// none behind it.
func (s *Store) Zxid() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zxid
}

// ClearRestored ends what [Recovered.Restored] says, once a batch with a greater
// zxid than any before has been appended.
func (s *Store) ClearRestored() error {
	if err := s.Err(); err != nil {
		return err
	}
	err := s.fs.Remove(restoredName)
	if err == nil {
		err = s.fs.SyncDir()
	}
	if err != nil {
		return s.stop("remove "+restoredName, err)
	}
	return nil
}

// Close cuts the log to its length, makes the mark durable and gives the lock back. The error is that of the
// store if it has stopped. No other method may be at work.
func (s *Store) Close() error {
	err := s.Err()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	if err == nil && s.marks != nil {
		err = s.finish()
	}
	s.closeFiles()
	s.mu.Lock()
	s.err = ErrClosed
	s.mu.Unlock()
	return err
}

// finish lets the mark say that the store was closed in order, once nothing is
// behind the last batch.
func (s *Store) finish() error {
	if err := s.trim(); err != nil {
		return s.stop("cut the log", err)
	}
	return s.settle(true)
}

// closeFiles closes everything that is open. What they hold has been synced, or
// does not count.
func (s *Store) closeFiles() {
	if s.log != nil {
		s.log.Close()
	}
	if s.marks != nil {
		s.marks.Close()
	}
	s.lock.Close()
}
