// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A disk makes batches durable, and writes snapshots beside that.
type disk struct {
	s     *Server
	store *store.Store
	log   store.Batch // the owner's, at work

	last      atomic.Pointer[SnapshotState] // that was written; nil: none yet
	snapshots sync.WaitGroup
	stopping  atomic.Bool // a snapshot is to be given up
}

const (
	// slowSync is from when on a batch that takes long is worth a line in the log
	// and an event (fsync.warningthresholdms).
	slowSync = time.Second
	// keepBatch is the greatest batch whose memory is kept.
	keepBatch = 4 << 20
)

// stop ends a snapshot at once. Called behind the last batch.
func (d *disk) stop() {
	d.stopping.Store(true)
	d.snapshots.Wait()
	d.stopping.Store(false)
	if err := d.store.Settle(); err != nil {
		d.s.fail(err)
	}
}

// commit makes transactions durable, if there are any, and the mark, if time has
// passed.
func (d *disk) commit(txns []tree.Txn, tick bool) error {
	err := d.store.Err()
	if err == nil && len(txns) > 0 {
		err = d.append(txns)
	}
	if err == nil && tick {
		err = d.store.Settle()
	}
	return err
}

func (d *disk) append(txns []tree.Txn) error {
	for i := range txns {
		txn := &txns[i]
		d.log.Add(txn.Zxid, func(b []byte) []byte { return tree.AppendTxn(b, txn) })
	}
	begin := time.Now()
	err := d.store.Append(&d.log)
	took := time.Since(begin)
	d.s.stats.synced(took)
	if took > slowSync {
		d.s.opts.Logger.Warn("the disk is slow", slog.Duration("sync", took), slog.Int("bytes", d.log.Size()))
		if f := d.s.opts.Events.SlowDisk; f != nil {
			f(SlowDiskInfo{Took: took, Transactions: len(txns), Bytes: d.log.Size(), Err: err})
		}
	}
	if d.log.Size() > keepBatch {
		d.log = store.Batch{}
	}
	d.log.Reset()
	return err
}

// snapshot begins to write a version, while others follow.
func (d *disk) snapshot(t *tree.Tree) {
	w, err := d.store.BeginSnapshot(0)
	if err != nil {
		d.tellSnapshot(SnapshotInfo{Zxid: Hex(t.Zxid()), Znodes: t.Len(), Err: err})
		d.s.fail(err)
		return
	}
	d.snapshots.Go(func() {
		switch err := d.writeSnapshot(w, t); {
		case errors.Is(err, errStopping):
		case errors.Is(err, store.ErrFull):
			d.warnFull(err)
		case err != nil:
			d.s.fail(err)
		}
	})
}

// makeSpace writes a snapshot in place of the log that has filled the disk. Where
// there is no space for that either, the log goes on as long as it can.
func (d *disk) makeSpace(t *tree.Tree) error {
	d.s.opts.Logger.Warn("the disk is full: writing a snapshot in place of the log")
	w, err := d.store.BeginSnapshot(0)
	if err == nil {
		err = d.writeSnapshot(w, t)
	}
	if errors.Is(err, store.ErrFull) {
		d.warnFull(err)
		return nil
	}
	return err
}

func (d *disk) warnFull(err error) {
	d.s.log.Warn("the disk is full, and a snapshot does not fit: give it more space", slog.Any("error", err))
}

var errStopping = errors.New("zkserver: stopping")

// writeSnapshot writes a version, and tells of it.
func (d *disk) writeSnapshot(w *store.SnapshotWriter, t *tree.Tree) error {
	begin := time.Now()
	err := d.writeChunks(w, t)
	took := time.Since(begin)
	if errors.Is(err, errStopping) { // the log has everything; the next life writes one
		return err
	}
	if err == nil {
		d.s.stats.snapshotted(took)
		d.last.Store(&SnapshotState{
			At: d.s.opts.Clock.Now(), TookMS: took.Milliseconds(), Zxid: Hex(t.Zxid()), Znodes: t.Len(), Bytes: w.Size(),
		})
		d.s.opts.Logger.Info("snapshot written", slog.Int("znodes", t.Len()), slog.Duration("took", took))
	}
	d.tellSnapshot(SnapshotInfo{Zxid: Hex(t.Zxid()), Znodes: t.Len(), Bytes: w.Size(), Took: took, Err: err})
	return err
}

func (d *disk) tellSnapshot(info SnapshotInfo) {
	if f := d.s.opts.Events.SnapshotWritten; f != nil {
		f(info)
	}
}

// writeChunks writes the head of the server and then the tree.
func (d *disk) writeChunks(w *store.SnapshotWriter, t *tree.Tree) error {
	head := d.s.head()
	err := w.Write(head.append(nil))
	if err == nil {
		// t never changes: the owner goes on to later versions meanwhile.
		err = t.WriteSnapshot(func(chunk []byte) error {
			if d.stopping.Load() {
				return errStopping
			}
			return w.Write(chunk)
		})
	}
	if err != nil {
		w.Abort()
		return err
	}
	return w.Commit()
}

// fail ends everything for good: what the disk holds is not known any more, so
// nobody shall be told anything. The connections are closed, every Serve
// returns err.
func (s *Server) fail(err error) {
	s.mu.Lock()
	if s.fatal != nil {
		s.mu.Unlock()
		return
	}
	s.fatal = fmt.Errorf("zkserver: %w", err)
	close(s.failed)
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	for sv := range s.serves {
		sv.stopping = true
		sv.cancel()
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.out.kill()
	}
	s.opts.Logger.Error("the data cannot be kept, stopping", slog.Any("error", err))
	if s.opts.OnFatal != nil {
		s.opts.OnFatal(s.fatal)
	}
}

// abandon lets go of requests that will not be answered.
func (o *owner) abandon(items []item) {
	for i := range items {
		it := &items[i]
		if it.conn != nil {
			it.conn.out.mu.Lock()
			it.conn.out.answered()
			it.conn.out.mu.Unlock()
		}
		if it.done != nil {
			it.done <- false
		}
	}
}
