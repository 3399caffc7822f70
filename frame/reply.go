// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import "encoding/binary"

// ReplyFixedBytes is the size of what precedes the metadata in a REPLY.
const ReplyFixedBytes = 4

// A Reply is the payload of a REPLY frame, or its first piece if the frame
// carries [FlagMore].
//
//	0 u8  codec
//	1 u8  reserved, zero
//	2 u16 metadata length
//	4 …   metadata
//	… …   body, to the end
type Reply struct {
	Codec    uint8
	Metadata Metadata
	Body     []byte // after Parse it aliases the input
}

// HeadSize returns the size of everything before the body.
func (r *Reply) HeadSize() int { return ReplyFixedBytes + r.Metadata.Size() }

// AppendReply appends r with its body. Metadata that the format cannot carry
// are left out; senders refuse them beforehand.
func AppendReply(b []byte, r *Reply) []byte {
	b = append(b, r.Codec, 0, 0, 0)
	b = appendSizedMetadata(b, len(b)-2, r.Metadata)
	return append(b, r.Body...)
}

// ParseReply reads a whole REPLY payload. Its errors are those of
// [ParseRequest]. Body of the result aliases b.
func ParseReply(b []byte, maxMetadata int) (Reply, error) {
	if len(b) < ReplyFixedBytes {
		return Reply{}, short("REPLY", len(b), ReplyFixedBytes)
	}
	r := Reply{Codec: b[0]}
	if b[1] != 0 {
		return r, &FormatError{Field: "reserved byte of REPLY", Value: uint64(b[1]), Problem: "must be"}
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	b = b[ReplyFixedBytes:]
	if len(b) < n {
		return r, short("metadata of REPLY", len(b), n)
	}
	r.Body = b[n:]
	if n > maxMetadata {
		return r, &LimitError{Kind: LimitMetadata, Field: "metadata", Value: n, Limit: maxMetadata}
	}
	var err error
	r.Metadata, err = ParseMetadata(b[:n])
	return r, err
}
