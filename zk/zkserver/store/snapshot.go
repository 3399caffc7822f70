// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
)

const (
	// chunkHeaderSize is what stands before a chunk: length and checksum.
	chunkHeaderSize = 8
	// trailerSize is what stands behind the last chunk.
	trailerSize = 4 + 8 + 8 + 4 + 4
)

// A SnapshotWriter writes a snapshot in chunks. It belongs to one goroutine. One
// of Commit and Abort must be called.
type SnapshotWriter struct {
	s      *Store
	header header
	f      File
	off    int64
	chunks uint64
	bytes  uint64
	sum    uint32
	buf    []byte
	spare  bool // the store goes on without it where there is no space
	full   bool // there was none
	// How much log there was since the snapshot before.
	sinceBytes   int64
	sinceRecords int
}

var errChunkSize = errors.New("store: a chunk of nothing or of more than 4 GiB")

// Write appends a chunk of 1 byte to 4 GiB, which is not kept.
func (w *SnapshotWriter) Write(chunk []byte) error {
	if len(chunk) == 0 || uint64(len(chunk)) > math.MaxUint32 {
		return w.s.stop("write a snapshot", errChunkSize)
	}
	b := binary.BigEndian.AppendUint32(w.buf[:0], uint32(len(chunk))) //nolint:gosec // checked
	b = binary.BigEndian.AppendUint32(b, checksumFrom(checksum(b), chunk))
	w.buf = append(b, chunk...)
	w.chunks++
	w.bytes += uint64(len(chunk))
	w.sum = checksumFrom(w.sum, chunk)
	return w.put(w.buf)
}

func (w *SnapshotWriter) put(b []byte) error {
	if err := w.s.Err(); err != nil {
		return err
	}
	if _, err := w.f.WriteAt(b, w.off); err != nil {
		return w.fail("write a snapshot", err)
	}
	w.off += int64(len(b))
	return nil
}

// fail stops the store, or gives up the snapshot alone if there is no space for it on
// a disk that is known to be full.
func (w *SnapshotWriter) fail(op string, err error) error {
	if w.spare && isFull(err) {
		w.full = true
		return fmt.Errorf("store: %s in %s: %w: %w", op, w.s.fs.Name(), ErrFull, err)
	}
	return w.s.stop(op, err)
}

// Commit makes the snapshot durable, and removes what is not needed any more.
func (w *SnapshotWriter) Commit() error {
	b := make([]byte, 4, trailerSize)
	b = appendUint64(b, w.chunks, w.bytes)
	b = sealed(binary.BigEndian.AppendUint32(b, w.sum))
	err := w.put(b)
	if err == nil {
		if err = w.f.Sync(); err != nil {
			err = w.fail("sync a snapshot", err)
		}
	}
	if w.full {
		w.Abort()
		return err
	}
	if cerr := w.f.Close(); err == nil && cerr != nil {
		err = w.s.stop("close a snapshot", cerr)
	}
	if err != nil {
		w.s.endSnapshot()
		return err
	}
	return w.s.commitSnapshot(w)
}

// Abort gives up the snapshot; the next one is due as if it had not been begun.
func (w *SnapshotWriter) Abort() {
	w.f.Close()
	if w.s.Err() == nil {
		if err := w.s.fs.Remove(snapshotName(w.header.seq) + tmpSuffix); err != nil {
			w.s.stop("give up a snapshot", err) //nolint:errcheck // Err tells it
		}
	}
	if w.full && w.s.Err() == nil {
		if err := w.s.keepReserve(); err != nil {
			w.s.stop("make the reserve", err) //nolint:errcheck // Err tells it
		}
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.snapshotting = false
	w.s.sinceBytes += w.sinceBytes
	w.s.sinceRecords += w.sinceRecords
	if w.full {
		w.s.full, w.s.postponed = true, w.s.sinceBytes+fullPause
	}
}

// A snapshot is what a file was found to hold.
type snapshot struct {
	header
	size   int64
	chunks uint64
	err    error // what is wrong with it
}

// readSnapshot calls f with each chunk of a snapshot, which is valid during the
// call, and checks everything. f is called before the end was checked.
func readSnapshot(fs FS, seq uint64, f func(chunk []byte) bool) (snapshot, error) {
	name := snapshotName(seq)
	file, h, size, err := openHeader(fs, name, snapshotMagic, seq)
	if err != nil {
		return snapshot{}, err
	}
	defer file.Close()
	s := snapshot{header: h, size: size}
	r := chunkReader{f: file, size: size, off: headerSize}
	for {
		chunk, what, err := r.next()
		switch {
		case err != nil:
			return s, fmt.Errorf("store: read %s: %w", name, err)
		case what != "":
			return s, damage(fs, name, r.off, "%s", what)
		case chunk == nil:
			s.chunks = r.chunks
			return s, nil
		case !f(chunk):
			return s, nil
		}
	}
}

// A chunkReader reads the chunks of a snapshot in order.
type chunkReader struct {
	f      File
	size   int64
	off    int64
	chunks uint64
	bytes  uint64
	sum    uint32
	buf    []byte
}

// next returns a chunk, or nil behind the last one, or what is wrong.
func (r *chunkReader) next() (chunk []byte, what string, err error) {
	left := r.size - r.off
	if left < trailerSize { // no chunk is without a trailer behind it
		return nil, "the file ends too early", nil
	}
	var head [chunkHeaderSize]byte
	if err := readAt(r.f, head[:], r.off); err != nil {
		return nil, "", err
	}
	n := int64(uint32At(head[:], 0))
	if n == 0 {
		what, err := r.trailer(left)
		return nil, what, err
	}
	if n > left-chunkHeaderSize-trailerSize || n > math.MaxInt {
		return nil, fmt.Sprintf("a chunk of %d bytes does not fit in the file", n), nil
	}
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	chunk = r.buf[:n]
	if err := readAt(r.f, chunk, r.off+chunkHeaderSize); err != nil {
		return nil, "", err
	}
	if checksumFrom(checksum(head[:4]), chunk) != uint32At(head[:], 4) {
		return nil, "the checksum of a chunk is wrong", nil
	}
	r.off += chunkHeaderSize + n
	r.chunks++
	r.bytes += uint64(n)
	r.sum = checksumFrom(r.sum, chunk)
	return chunk, "", nil
}

func (r *chunkReader) trailer(left int64) (what string, err error) {
	var b [trailerSize]byte
	if err := readAt(r.f, b[:], r.off); err != nil {
		return "", err
	}
	const n = trailerSize - 4
	switch {
	case checksum(b[:n]) != uint32At(b[:], n):
		return "the checksum of the trailer is wrong", nil
	case left != trailerSize:
		return fmt.Sprintf("%d bytes follow the trailer", left-trailerSize), nil
	case uint64At(b[:], 4) != r.chunks, uint64At(b[:], 12) != r.bytes, uint32At(b[:], 20) != r.sum:
		return "the trailer does not belong to the chunks", nil
	}
	return "", nil
}

// chunks returns the chunks of a snapshot as a sequence that ends with an error
// if the snapshot is not whole.
func chunks(fs FS, seq uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		stopped := false
		_, err := readSnapshot(fs, seq, func(chunk []byte) bool {
			stopped = !yield(chunk, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}
