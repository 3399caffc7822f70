// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import "encoding/binary"

// HeaderBytes is the size of the header before every frame's payload.
const HeaderBytes = 16

// PingBytes is the size of the payload of PING and PONG.
const PingBytes = 8

// A Type says what a frame's payload is. Types from 0x80 on may be ignored by
// a receiver that does not know them; an unknown one below is a protocol error.
type Type uint8

// The frame types of version 1.
const (
	TypeRequest   Type = 0x01 // client: the first or only piece of a call
	TypeData      Type = 0x02 // both: a further piece of a request or reply
	TypeReply     Type = 0x03 // server: the first or only piece of an answer
	TypeError     Type = 0x04 // server: the call failed
	TypeCancel    Type = 0x05 // client: the answer is no longer wanted
	TypePing      Type = 0x06 // both: 8 opaque bytes
	TypePong      Type = 0x07 // both: the same 8 bytes back
	TypeGoAway    Type = 0x08 // both: no more streams
	TypeWindow    Type = 0x09 // reserved for streams
	TypeHalfClose Type = 0x0a // reserved for streams
	TypePadding   Type = 0x80 // both: ignored; a withdrawn request becomes one
)

var typeNames = map[Type]string{
	TypeRequest: "REQUEST", TypeData: "DATA", TypeReply: "REPLY", TypeError: "ERROR",
	TypeCancel: "CANCEL", TypePing: "PING", TypePong: "PONG", TypeGoAway: "GOAWAY",
	TypeWindow: "WINDOW", TypeHalfClose: "HALF_CLOSE", TypePadding: "PADDING",
}

// String returns the type's name in PROTOCOL.md, or its number.
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "type " + hexByte(uint8(t))
}

// Ignorable reports whether a receiver that does not know t skips the frame.
func (t Type) Ignorable() bool { return t >= TypePadding }

// Flags modify a frame. Bits that a type does not define are zero.
type Flags uint8

// The flags of version 1.
const (
	FlagMore   Flags = 0x01 // REQUEST, REPLY, DATA: another piece follows
	FlagStream Flags = 0x02 // reserved for streams
)

// ServerStreamBit is set in the ids of streams that a server would open; none
// exist in version 1. A client's ids leave it clear.
const ServerStreamBit uint64 = 1 << 63

// A Header precedes every frame's payload.
//
//	0  u32 payload length, without the header
//	4  u8  type
//	5  u8  flags
//	6  u16 reserved, zero
//	8  u64 stream id; zero for PING, PONG and GOAWAY
type Header struct {
	Length   uint32
	Type     Type
	Flags    Flags
	StreamID uint64
}

// AppendHeader appends h in its 16 bytes.
func AppendHeader(b []byte, h Header) []byte {
	b = binary.BigEndian.AppendUint32(b, h.Length)
	b = append(b, byte(h.Type), byte(h.Flags), 0, 0)
	return binary.BigEndian.AppendUint64(b, h.StreamID)
}

// ParseHeader reads the first 16 bytes of b. It reports a [*FormatError] if
// there are fewer or the reserved ones are not zero. It does not judge length,
// type, flags and id: [Header.Check] does.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderBytes {
		return Header{}, short("frame header", len(b), HeaderBytes)
	}
	h := Header{
		Length:   binary.BigEndian.Uint32(b),
		Type:     Type(b[4]),
		Flags:    Flags(b[5]),
		StreamID: binary.BigEndian.Uint64(b[8:]),
	}
	if r := binary.BigEndian.Uint16(b[6:]); r != 0 {
		return h, &FormatError{Field: "reserved bytes of the frame header", Value: uint64(r), Problem: "must be"}
	}
	return h, nil
}

// Check reports a [*FormatError] if h cannot be a frame of version 1: a payload
// over maxFrame bytes, an unknown type that is not ignorable, a flag that the
// type does not define, or a stream id where none belongs or none where one
// does. Direction and order of ids are the connection's business.
func (h Header) Check(maxFrame int) error {
	if uint64(h.Length) > uint64(maxFrame) { //nolint:gosec // a limit is positive
		return &FormatError{Field: "frame length", Value: uint64(h.Length), Limit: uint64(maxFrame), Problem: "the receiver's limit is"} //nolint:gosec // a length, not negative
	}
	var flags Flags
	var stream bool
	switch h.Type {
	case TypeRequest, TypeData, TypeReply:
		flags, stream = FlagMore, true
	case TypeError, TypeCancel:
		stream = true
	case TypePing, TypePong, TypeGoAway:
	case TypeWindow, TypeHalfClose, TypePadding:
		fallthrough
	default:
		if h.Type.Ignorable() {
			return nil
		}
		return &FormatError{Field: "frame type", Value: uint64(h.Type), Limit: uint64(TypeGoAway), Problem: "the last type of this version is"}
	}
	if h.Flags&^flags != 0 {
		return &FormatError{Field: "flags of " + h.Type.String(), Value: uint64(h.Flags), Limit: uint64(flags), Problem: "the bits defined are"}
	}
	if stream && (h.StreamID == 0 || h.StreamID&ServerStreamBit != 0) {
		return &FormatError{Field: "stream id of " + h.Type.String(), Value: h.StreamID, Limit: ServerStreamBit - 1, Problem: "must be from 1 to"}
	}
	if !stream && h.StreamID != 0 {
		return &FormatError{Field: "stream id of " + h.Type.String(), Value: h.StreamID, Problem: "must be"}
	}
	return h.checkLength()
}

func (h Header) checkLength() error {
	switch h.Type {
	case TypeCancel:
		if h.Length != 0 {
			return &FormatError{Field: "length of CANCEL", Value: uint64(h.Length), Problem: "must be"}
		}
	case TypePing, TypePong:
		if h.Length != PingBytes {
			return &FormatError{Field: "length of " + h.Type.String(), Value: uint64(h.Length), Limit: PingBytes, Problem: "must be"}
		}
	default:
	}
	return nil
}

func hexByte(v uint8) string {
	const digits = "0123456789abcdef"
	return "0x" + string([]byte{digits[v>>4], digits[v&15]})
}
