// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Buffers come in powers of two from 64 B to 8 MiB, each with its own pool.
const (
	minBufferBits = 6
	maxBufferBits = 23
)

// buffers hold *byte, the address of an array of the class's size: unlike a
// slice a pointer goes into the pool's interface without an allocation.
var buffers [maxBufferBits - minBufferBits + 1]sync.Pool

// GetBuffer returns an empty slice with room for n bytes, of memory that
// [PutBuffer] takes back, or for a [PooledReply].
func GetBuffer(n int) []byte { return getBuffer(n)[:0] }

// PutBuffer gives back a slice that [GetBuffer] returned, which is then nobody's.
// What lies in other memory it leaves alone.
func PutBuffer(b []byte) { putBuffer(b) }

// getBuffer returns a slice of length n whose capacity is its class's size.
// Its content is arbitrary.
func getBuffer(n int) []byte {
	class := bufferClass(n)
	if class >= len(buffers) {
		return make([]byte, n)
	}
	if p, ok := buffers[class].Get().(*byte); ok {
		return unsafe.Slice(p, 1<<(class+minBufferBits))[:n] //nolint:gosec // the length is that of the memory
	}
	return make([]byte, n, 1<<(class+minBufferBits))
}

// putBuffer takes a slice that getBuffer returned, or a prefix of it.
func putBuffer(b []byte) {
	size := cap(b)
	class := bufferClass(size)
	if size == 0 || class >= len(buffers) || size != 1<<(class+minBufferBits) {
		return
	}
	b = b[:size]
	poison(b)
	buffers[class].Put(unsafe.SliceData(b)) //nolint:gosec // the length is that of the memory
}

// growBuffer returns a buffer that holds b and has room for n more bytes. b is
// given back if it had to move.
func growBuffer(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	g := getBuffer(max(len(b)+n, 2*len(b)))[:len(b)]
	copy(g, b)
	putBuffer(b)
	return g
}

func bufferClass(n int) int {
	return max(bits.Len(uint(max(n, 1)-1))-minBufferBits, 0)
}
