// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"math"
)

// A Batch is a group of records on its way to the disk. The zero value is an
// empty batch. It belongs to one goroutine.
type Batch struct {
	buf   []byte // room for the header, then the payload
	zxid  int64  // of the last record
	count uint32
	err   error
}

// batchHeaderSize is the length of what stands before the payload.
const batchHeaderSize = 40

const batchMagic = "RCBT"

var errRecordSize = errors.New("store: a record of more than 4 GiB: split the transaction")

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	*b = Batch{buf: append(b.buf[:0], make([]byte, batchHeaderSize)...)}
}

// Len returns the number of records.
func (b *Batch) Len() int { return int(b.count) }

// Size returns the number of bytes that the batch takes in the log.
func (b *Batch) Size() int { return len(b.buf) }

// Add adds a record: what encode appends to the slice it is given. The zxid must
// be greater than that of the record before it.
func (b *Batch) Add(zxid int64, encode func([]byte) []byte) {
	if len(b.buf) == 0 {
		b.Reset()
	}
	start := len(b.buf)
	b.buf = encode(append(b.buf, 0, 0, 0, 0))
	n := len(b.buf) - start - 4
	if uint64(n) > math.MaxUint32 { //nolint:gosec // not negative
		b.err = errRecordSize
	}
	binary.BigEndian.PutUint32(b.buf[start:], uint32(n)) //nolint:gosec // checked
	b.zxid = zxid
	b.count++
}

// seal writes the header.
func (b *Batch) seal(seed uint32, seq uint64) []byte {
	h := append(b.buf[:0], batchMagic...)
	h = binary.BigEndian.AppendUint32(h, b.count)
	h = appendUint64(h, uint64(len(b.buf)-batchHeaderSize), seq, uint64(b.zxid)) //nolint:gosec // two's complement is the encoding
	h = binary.BigEndian.AppendUint32(h, checksumFrom(seed, b.buf[batchHeaderSize:]))
	binary.BigEndian.AppendUint32(h, checksumFrom(seed, h))
	return b.buf
}

// A batchHeader is what stands before the payload of a batch.
type batchHeader struct {
	count  uint32
	length uint64
	seq    uint64
	zxid   int64
	sum    uint32
}

// parseBatchHeader returns a header, or false if it is not one of a store with
// that seed.
func parseBatchHeader(b []byte, seed uint32) (batchHeader, bool) {
	const n = batchHeaderSize - 4
	if string(b[:4]) != batchMagic || checksumFrom(seed, b[:n]) != uint32At(b, n) {
		return batchHeader{}, false
	}
	return batchHeader{
		count: uint32At(b, 4), length: uint64At(b, 8), seq: uint64At(b, 16),
		zxid: int64(uint64At(b, 24)), sum: uint32At(b, 32), //nolint:gosec // two's complement is the encoding
	}, true
}

// records calls f with each record of a payload, until f returns false. It
// returns false if the payload is not made of count records.
func records(payload []byte, count uint32, f func([]byte) bool) bool {
	for ; count > 0; count-- {
		if len(payload) < 4 {
			return false
		}
		n := uint64(uint32At(payload, 0))
		if n > uint64(len(payload)-4) { //nolint:gosec // a length, not negative
			return false
		}
		if !f(payload[4 : 4+n : 4+n]) {
			return true
		}
		payload = payload[4+n:]
	}
	return len(payload) == 0
}
