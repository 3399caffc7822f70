// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"slices"
)

// The sizes of one metadata entry.
const (
	MaxMetadataKey   = 255       // bytes; a key has at least one
	MaxMetadataValue = 1<<16 - 1 // bytes
	entryOverhead    = 3
)

// Metadata are key-value pairs beside a message: trace ids, credentials. They
// are written in the order of their keys. A nil map costs nothing.
//
//	for each: u8 key length, key, u16 value length, value
type Metadata map[string]string

// Size returns the encoded size in bytes.
func (m Metadata) Size() int {
	n := 0
	for k, v := range m {
		n += entryOverhead + len(k) + len(v)
	}
	return n
}

// Check reports a [*LimitError] if m cannot be sent to a peer that takes limit
// bytes of encoded metadata, or if the format cannot carry a key or value of
// it.
func (m Metadata) Check(limit int) error {
	for k, v := range m {
		if len(k) == 0 || len(k) > MaxMetadataKey {
			return &LimitError{Kind: LimitMetadata, Field: "metadata key (1 to 255 bytes)", Value: len(k), Limit: MaxMetadataKey}
		}
		if len(v) > MaxMetadataValue {
			return &LimitError{Kind: LimitMetadata, Field: "metadata value of key " + k, Value: len(v), Limit: MaxMetadataValue}
		}
	}
	if n := m.Size(); n > limit {
		return &LimitError{Kind: LimitMetadata, Field: "metadata", Value: n, Limit: limit}
	}
	return nil
}

// AppendMetadata appends m, without a length before it. Entries that the format
// cannot carry are left out; [Metadata.Check] reports them beforehand.
func AppendMetadata(b []byte, m Metadata) []byte {
	if len(m) == 0 {
		return b
	}
	var array [16]string // keeps the usual few keys off the heap
	keys := array[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if v := m[k]; carries(k, v) {
			b = appendEntry(b, k, v)
		}
	}
	return b
}

// ParseMetadata reads all of b. It returns nil for no bytes, and a
// [*FormatError] if they do not end with an entry, if a key is empty, or if one
// comes twice. Keys may come in any order.
func ParseMetadata(b []byte) (Metadata, error) {
	if len(b) == 0 {
		return nil, nil
	}
	m := make(Metadata)
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 {
			return nil, &FormatError{Field: "metadata key length", Value: 0, Limit: 1, Problem: "must be at least"}
		}
		if len(b) < 1+n+2 {
			return nil, short("metadata key", len(b), 1+n+2)
		}
		key := string(b[1 : 1+n])
		b = b[1+n:]
		n = int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, short("metadata value", len(b)-2, n)
		}
		if _, twice := m[key]; twice {
			return nil, &FormatError{Field: "occurrences of metadata key " + key, Value: 2, Limit: 1, Problem: "must be at most"}
		}
		m[key] = string(b[2 : 2+n])
		b = b[2+n:]
	}
	return m, nil
}

func carries(k, v string) bool {
	return len(k) > 0 && len(k) <= MaxMetadataKey && len(v) <= MaxMetadataValue
}

func appendEntry(b []byte, k, v string) []byte {
	b = append(b, byte(len(k))) //nolint:gosec // checked before
	b = append(b, k...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v))) //nolint:gosec // carries was true
	return append(b, v...)
}
