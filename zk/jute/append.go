// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

import "encoding/binary"

// AppendBool appends 1 byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendInt appends a 32-bit integer.
func AppendInt(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(v)) //nolint:gosec // two's complement is the encoding
}

// AppendLong appends a 64-bit integer.
func AppendLong(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v)) //nolint:gosec // two's complement is the encoding
}

// AppendBuffer appends a length and the bytes; nil is written as length -1.
func AppendBuffer(b, v []byte) []byte {
	if v == nil {
		return AppendInt(b, -1)
	}
	return append(AppendInt(b, int32(len(v))), v...) //nolint:gosec // bounded by the frame limit
}

// AppendString appends a length and the bytes of s.
func AppendString(b []byte, s string) []byte {
	return append(AppendInt(b, int32(len(s))), s...) //nolint:gosec // bounded by the frame limit
}

// AppendStrings appends a vector of strings; nil is written as an empty vector.
func AppendStrings(b []byte, list []string) []byte {
	b = AppendInt(b, int32(len(list))) //nolint:gosec // bounded by the frame limit
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// AppendFrame appends the frame that holds what fill appends: a 32-bit length
// and the payload.
func AppendFrame(b []byte, fill func([]byte) []byte) []byte {
	start := len(b)
	b = fill(AppendInt(b, 0))
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // bounded by the frame limit
	return b
}
