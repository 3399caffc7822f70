// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	segmentPrefix  = "log."
	snapshotPrefix = "snapshot."
)

func segmentName(first uint64) string { return fmt.Sprintf("%s%016x", segmentPrefix, first) }
func snapshotName(last uint64) string { return fmt.Sprintf("%s%016x", snapshotPrefix, last) }

// number returns the sequence number in a file's name.
func number(name, prefix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

// A segment is what a file of the log was found to hold.
type segment struct {
	header
	size    int64
	end     int64 // of the last valid batch
	lastSeq uint64
	last    int64 // zxid of the last batch; of the one before the segment if there is none
	batches int
	records int
	// unmarked is where the first batch begins that the mark does not cover.
	unmarked int64
	tail     string // what is wrong with what stands at end; empty: nothing but zeros, if anything
	short    bool   // the file ends within the batch at end, or none was begun there
}

// damage says what is wrong at an offset of a file.
func damage(fs FS, file string, offset int64, format string, args ...any) error {
	return &DamageError{Dir: fs.Name(), File: file, Offset: offset, What: fmt.Sprintf(format, args...)}
}

// openHeader opens a segment or snapshot and checks its header.
func openHeader(fs FS, name string, magic [8]byte, seq uint64) (File, header, int64, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, header{}, 0, err
	}
	h, size, err := readHeader(fs, f, name, magic, seq)
	if err != nil {
		return nil, header{}, 0, errors.Join(err, f.Close())
	}
	return f, h, size, nil
}

func readHeader(fs FS, f File, name string, magic [8]byte, seq uint64) (header, int64, error) {
	size, err := f.Size()
	if err != nil {
		return header{}, 0, err
	}
	if size < headerSize {
		return header{}, 0, damage(fs, name, size, "the file ends within its header")
	}
	var b [headerSize]byte
	if err := readAt(f, b[:], 0); err != nil {
		return header{}, 0, err
	}
	h, version, what := parseHeader(b[:], magic)
	switch {
	case what != "":
		return header{}, 0, damage(fs, name, 0, "%s", what)
	case version != formatVersion:
		return header{}, 0, &VersionError{Dir: fs.Name(), File: name, Version: version}
	case h.seq != seq:
		return header{}, 0, damage(fs, name, 0, "the header has the number %016x: the file was renamed", h.seq)
	}
	return h, size, nil
}

// readAt fills b.
func readAt(f File, b []byte, off int64) error {
	if n, err := f.ReadAt(b, off); n < len(b) {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return nil
}

// A batchReader reads the batches of a segment in order.
type batchReader struct {
	f    File
	seed uint32
	size int64
	off  int64  // of the next batch
	seq  uint64 // of the next batch
	zxid int64  // of the batch before it
	buf  []byte
}

// next reads a batch. The payload is valid until the next call. It returns what
// is wrong if there is no valid batch, and whether that is because the file ends.
func (r *batchReader) next() (h batchHeader, payload []byte, what string, short bool, err error) {
	left := r.size - r.off
	if left < batchHeaderSize {
		return h, nil, "the file ends within the header of a batch", true, nil
	}
	var b [batchHeaderSize]byte
	if err := readAt(r.f, b[:], r.off); err != nil {
		return h, nil, "", false, err
	}
	h, ok := parseBatchHeader(b[:], r.seed)
	switch {
	case !ok:
		return h, nil, "no header of a batch, or its checksum is wrong", false, nil
	case h.seq != r.seq:
		return h, nil, fmt.Sprintf("a batch has the sequence number %d, want %d", h.seq, r.seq), false, nil
	case h.zxid <= r.zxid:
		return h, nil, fmt.Sprintf("a batch has the zxid 0x%x, want more than 0x%x", h.zxid, r.zxid), false, nil
	case h.length > uint64(left-batchHeaderSize) || h.length > math.MaxInt:
		return h, nil, fmt.Sprintf("the file ends within a batch of %d bytes", h.length), true, nil
	}
	n := int(h.length)
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	payload = r.buf[:n]
	if err := readAt(r.f, payload, r.off+batchHeaderSize); err != nil {
		return h, nil, "", false, err
	}
	if checksumFrom(r.seed, payload) != h.sum {
		return h, nil, "the checksum of a batch is wrong", false, nil
	}
	if !records(payload, h.count, func([]byte) bool { return true }) {
		return h, nil, "the records do not fill their batch", false, nil
	}
	r.off += batchHeaderSize + int64(n)
	r.seq++
	r.zxid = h.zxid
	return h, payload, "", false, nil
}

// scanSegment reads a whole segment and checks everything but what stands behind
// its last valid batch, of which it only says whether it is zeros.
func scanSegment(fs FS, first, marked uint64) (segment, error) {
	f, s, err := openSegment(fs, first)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if err := s.read(f, marked, math.MaxUint64); err != nil {
		return s, err
	}
	room, err := onlyZeros(f, s.end, s.size)
	if err != nil {
		return s, fmt.Errorf("store: read %s: %w", segmentName(first), err)
	}
	if room {
		s.tail, s.short = "", true
	}
	return s, nil
}

func openSegment(fs FS, first uint64) (File, segment, error) {
	f, h, size, err := openHeader(fs, segmentName(first), segmentMagic, first)
	return f, segment{header: h, size: size}, err
}

// read reads the batches of a segment up to one, or to the first that is not
// valid.
func (s *segment) read(f File, marked, last uint64) error {
	s.unmarked = headerSize
	r := batchReader{f: f, seed: s.id.seed(), size: s.size, off: headerSize, seq: s.seq, zxid: s.zxid}
	for r.off < s.size && r.seq <= last {
		h, _, what, short, err := r.next()
		if err != nil {
			return fmt.Errorf("store: read %s: %w", segmentName(s.seq), err)
		}
		if what != "" {
			s.tail, s.short = what, short
			break
		}
		s.batches++
		s.records += int(h.count)
		if h.seq <= marked {
			s.unmarked = r.off
		}
	}
	s.end, s.lastSeq, s.last = r.off, r.seq-1, r.zxid
	return nil
}

// laterBatch looks behind the end of a segment for the header of a later batch
// than the one that should stand there.
func laterBatch(fs FS, s *segment) (offset int64, seq uint64, err error) {
	f, err := fs.Open(segmentName(s.seq))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	seed := s.id.seed()
	const window = 1 << 20
	buf := make([]byte, min(window, s.size-s.end)+batchHeaderSize)
	for at := s.end; at < s.size; at += window {
		n := min(int64(len(buf)), s.size-at)
		if err := readAt(f, buf[:n], at); err != nil {
			return 0, 0, err
		}
		for i := 0; ; i++ {
			j := bytes.Index(buf[i:n], []byte(batchMagic))
			if j < 0 || int64(i+j+batchHeaderSize) > n {
				break
			}
			i += j
			if h, ok := parseBatchHeader(buf[i:i+batchHeaderSize], seed); ok && h.seq > s.lastSeq+1 {
				return at + int64(i), h.seq, nil
			}
		}
	}
	return 0, 0, nil
}
