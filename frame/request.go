// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"math"
	"time"
)

// The codecs that every peer knows. A user's own have ids from
// CodecUserFirst to CodecUserLast; all others are reserved.
const (
	CodecRaw       uint8 = 0
	CodecJSON      uint8 = 1
	CodecProtobuf  uint8 = 2
	CodecUserFirst uint8 = 64
	CodecUserLast  uint8 = 127
)

// MaxMethod is the size limit of a method's name in bytes.
const MaxMethod = 255

// RequestFixedBytes is the size of what precedes the name in a REQUEST.
const RequestFixedBytes = 12

// A Request is the payload of a REQUEST frame, or its first piece if the frame
// carries [FlagMore].
//
//	0  u8  codec
//	1  u8  method length
//	2  u16 metadata length
//	4  u64 nanoseconds left until the deadline; 0: none
//	12 …   method
//	…  …   metadata
//	…  …   body, to the end
type Request struct {
	Codec     uint8
	Remaining time.Duration // until the deadline; 0: none
	Method    []byte        // at most 255 bytes; after Parse it aliases the input
	Metadata  Metadata
	Body      []byte // after Parse it aliases the input
}

// HeadSize returns the size of everything before the body.
func (r *Request) HeadSize() int {
	return RequestFixedBytes + len(r.Method) + r.Metadata.Size()
}

// AppendRequest appends r with its body. A method over 255 bytes is cut and
// metadata that the format cannot carry are left out; senders refuse both
// beforehand. A negative Remaining is written as 1 ns: it has passed.
func AppendRequest(b []byte, r *Request) []byte {
	method := r.Method[:min(len(r.Method), MaxMethod)]
	remaining := uint64(r.Remaining) //nolint:gosec // checked below
	if r.Remaining < 0 {
		remaining = 1
	}
	b = append(b, r.Codec, byte(len(method)), 0, 0) //nolint:gosec // checked before
	mark := len(b) - 2
	b = binary.BigEndian.AppendUint64(b, remaining)
	b = append(b, method...)
	b = appendSizedMetadata(b, mark, r.Metadata)
	return append(b, r.Body...)
}

// ParseRequest reads a whole REQUEST payload. Metadata over maxMetadata bytes
// are not read and reported as a [*LimitError] beside the rest of the request;
// everything else that is wrong is a [*FormatError]. Method and Body of the
// result alias b.
func ParseRequest(b []byte, maxMetadata int) (Request, error) {
	if len(b) < RequestFixedBytes {
		return Request{}, short("REQUEST", len(b), RequestFixedBytes)
	}
	r := Request{Codec: b[0]}
	nameLen, metaLen := int(b[1]), int(binary.BigEndian.Uint16(b[2:]))
	remaining := min(binary.BigEndian.Uint64(b[4:]), math.MaxInt64)
	r.Remaining = time.Duration(remaining)
	b = b[RequestFixedBytes:]
	if len(b) < nameLen+metaLen {
		return r, short("method and metadata of REQUEST", len(b), nameLen+metaLen)
	}
	r.Method = b[:nameLen:nameLen]
	r.Body = b[nameLen+metaLen:]
	if metaLen > maxMetadata {
		return r, &LimitError{Kind: LimitMetadata, Field: "metadata", Value: metaLen, Limit: maxMetadata}
	}
	var err error
	r.Metadata, err = ParseMetadata(b[nameLen : nameLen+metaLen])
	return r, err
}

// appendSizedMetadata appends m and writes its size at b[mark:]. What would
// overflow the u16 is left out as a whole: half of a map is worse than none.
func appendSizedMetadata(b []byte, mark int, m Metadata) []byte {
	if len(m) == 0 {
		return b
	}
	start := len(b)
	b = AppendMetadata(b, m)
	n := len(b) - start
	if n > math.MaxUint16 {
		return b[:start]
	}
	binary.BigEndian.PutUint16(b[mark:], uint16(n)) //nolint:gosec // checked
	return b
}
