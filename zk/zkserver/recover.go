// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A DataError says that what a server keeps on the disk cannot be used: it is in
// use, damaged, or of a newer version, or the disk fails.
type DataError struct {
	Dir string
	Err error
}

// Error begins with the directory.
func (e *DataError) Error() string { return fmt.Sprintf("zkserver: data in %s: %v", e.Dir, e.Err) }

// Unwrap returns the cause.
func (e *DataError) Unwrap() error { return e.Err }

// A head is what a server keeps beside its tree. It is the first chunk of a
// snapshot: int format, buffer secret, long lastSession.
type head struct {
	secret      [32]byte
	lastSession int64
}

const headFormat = 1

func (h *head) append(b []byte) []byte {
	b = jute.AppendInt(b, headFormat)
	b = jute.AppendBuffer(b, h.secret[:])
	return jute.AppendLong(b, h.lastSession)
}

func (h *head) decode(b []byte) error {
	d := jute.NewDecoder(b)
	format, secret := d.Int(), d.Buffer()
	h.lastSession = d.Long()
	switch {
	case d.Err() == nil && format != headFormat:
		return fmt.Errorf("snapshot: format %d, want %d: it was written by a newer program, use that", format, headFormat)
	case d.Err() != nil || len(secret) != len(h.secret) || d.Len() > 0:
		return errors.New("snapshot: the first chunk is not a server's")
	}
	copy(h.secret[:], secret)
	return nil
}

// head returns what a snapshot of the tree begins with. Sessions may have been
// added since: the last one only grows.
func (s *Server) head() head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return head{s.secret, s.lastSession}
}

// A contents is what a store was found to hold.
type contents struct {
	head
	tree *tree.Tree
}

// applyAtOnce is how many transactions are applied together while loading.
const applyAtOnce = 1000

// loadStore makes the tree of what was recovered.
func loadStore(rec *store.Recovered) (*contents, error) {
	c := &contents{}
	loader, first := tree.NewLoader(), true
	for chunk, err := range rec.Snapshot() {
		switch {
		case err != nil:
		case first:
			err, first = c.decode(chunk), false
		default:
			err = loader.Add(chunk)
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	if c.tree, err = loader.Tree(); err != nil {
		return nil, err
	}
	return c, c.replay(rec)
}

// replay applies the transactions behind the snapshot.
func (c *contents) replay(rec *store.Recovered) error {
	var txns []tree.Txn
	flush := func() error {
		next, err := c.tree.Apply(txns)
		if err == nil {
			c.tree, txns = next, txns[:0]
		}
		return err
	}
	for record, err := range rec.Records() {
		if err != nil {
			return err
		}
		txn, err := tree.DecodeTxn(record)
		if err != nil {
			return err
		}
		for i := range txn.Changes {
			if ch := &txn.Changes[i]; ch.Kind == tree.ChangeOpenSession {
				c.lastSession = max(c.lastSession, ch.Owner)
			}
		}
		if txns = append(txns, txn); len(txns) >= applyAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// openDisk opens the store of the options and takes over what it holds.
func (s *Server) openDisk() error {
	opts := s.opts.Store
	if opts.FS == nil {
		opts.FS = store.Dir(s.opts.DataDir)
	}
	if opts.Logger == nil {
		opts.Logger = s.opts.Logger
	}
	dir := opts.FS.Name()
	if opts.ReserveBytes == 0 {
		opts.ReserveBytes = defaultReserveBytes
	}
	begin := time.Now()
	st, rec, err := store.Open(opts)
	if err != nil {
		return &DataError{dir, err}
	}
	s.disk = &disk{s: s, store: st}
	if rec.Empty() {
		err = s.create()
	} else {
		err = s.takeOver(rec)
	}
	if err == nil && st.Full() {
		err = s.disk.makeSpace(s.version.Load())
	}
	if err != nil {
		return &DataError{dir, errors.Join(err, st.Close())}
	}
	t := s.version.Load()
	s.opts.Logger.Info("data loaded", slog.String("dir", dir), slog.Int("znodes", t.Len()), slog.Int("sessions", t.NumSessions()),
		slog.String("zxid", Hex(t.Zxid()).String()), slog.Duration("took", time.Since(begin)))
	return nil
}

// apacheData is the directory in which ZooKeeper keeps its data.
const apacheData = "version-2"

// create begins an empty store with a snapshot of the empty tree.
func (s *Server) create() error {
	if s.opts.Store.FS == nil {
		if _, err := os.Stat(filepath.Join(s.opts.DataDir, apacheData)); err == nil {
			return fmt.Errorf("%s is there: the data of Apache ZooKeeper cannot be read: name another directory", apacheData)
		}
	}
	t := s.version.Load()
	w, err := s.disk.store.BeginSnapshot(t.Zxid())
	if err != nil {
		return err
	}
	return s.disk.writeSnapshot(w, t)
}

// takeOver goes on with what was kept.
func (s *Server) takeOver(rec *store.Recovered) error {
	c, err := loadStore(rec)
	if err != nil {
		return err
	}
	if err := s.beginEpoch(c, rec.Restored()); err != nil {
		return err
	}
	s.secret, s.lastSession = c.secret, c.lastSession
	s.version.Store(c.tree)
	c.tree.Sessions(func(id int64, timeoutMillis int32) bool {
		s.sessions[id] = newSessionOf(id, time.Duration(timeoutMillis)*time.Millisecond)
		return true
	})
	return nil
}

// beginEpoch lets the zxid jump over all that clients can have seen of what is not
// there any more, as a new leader does: after a backup was put back, by whatever means,
// they would be turned away for ever.
func (s *Server) beginEpoch(c *contents, restored bool) error {
	txn := tree.Txn{Zxid: nextEpoch(c.tree.Zxid(), s.first), Time: s.opts.Clock.Now().UnixMilli()}
	next, err := c.tree.Apply([]tree.Txn{txn})
	if err != nil {
		return err
	}
	if restored {
		s.opts.Logger.Warn("the data is a backup or older than clients may know it",
			slog.String("from", Hex(c.tree.Zxid()).String()), slog.String("to", Hex(txn.Zxid).String()))
	}
	var b store.Batch
	b.Add(txn.Zxid, func(b []byte) []byte { return tree.AppendTxn(b, &txn) })
	if err := s.disk.store.Append(&b); err != nil {
		return err
	}
	s.kept, s.first = c.tree.Zxid(), txn.Zxid
	c.tree = next
	if restored {
		return s.disk.store.ClearRestored()
	}
	return nil
}

// nextEpoch returns the zxid with which a life begins that has found data up to last,
// where an empty server would begin with first. That is greater than what any earlier
// life has begun with, also one that is not there any more, unless the clock was set
// back: then it is at least greater than what is there.
func nextEpoch(last, first int64) int64 {
	epoch := last>>32 + 1
	if first > last {
		return first
	}
	if epoch > math.MaxInt32 {
		return last + 1 // there are no more epochs
	}
	return epoch << 32
}
