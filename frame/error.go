// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// The sizes to which the sender cuts an ERROR, so that it always fits one frame.
const (
	MaxErrorReason  = 255     // bytes
	MaxErrorMessage = 4 << 10 // bytes
	MaxErrorDetails = 8 << 10 // bytes of encoded details
	errorFixedBytes = 2
)

// passedOnBit stands in the byte of Executed.
const passedOnBit = 0x80

// An Error is the payload of an ERROR frame: the answer to a call that failed.
//
//	0 u8  code
//	1 u8  executed; its top bit 0x80: passed on
//	2 u8  reason length
//	3 …   reason
//	… u16 message length
//	… …   message
//	… …   details, to the end, in the format of metadata
type Error struct {
	Code     Code
	Executed Executed
	// PassedOn: the handler passes on the failure of a call of its own. Another
	// instance would meet the same.
	PassedOn bool
	Reason   string   // machine-readable, by convention UPPER_CASE; at most 255 bytes
	Message  string   // for people; at most 4 KiB
	Details  Metadata // at most 8 KiB encoded
}

// AppendError appends e, cut to the sizes above: strings at a character's
// boundary, details entry by entry in the order of their keys. An invalid Code
// or Executed is written as CodeUnknown or ExecutedMaybe.
func AppendError(b []byte, e *Error) []byte {
	code, executed := e.Code, e.Executed
	if code < CodeCanceled || code > CodeUnauthenticated {
		code = CodeUnknown
	}
	if executed < ExecutedNo || executed > ExecutedYes {
		executed = ExecutedMaybe
	}
	reason, message := cut(e.Reason, MaxErrorReason), cut(e.Message, MaxErrorMessage)
	second := byte(executed)
	if e.PassedOn {
		second |= passedOnBit
	}
	b = append(b, byte(code), second, byte(len(reason))) //nolint:gosec // checked before
	b = append(b, reason...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(message))) //nolint:gosec // cut
	b = append(b, message...)
	return appendDetails(b, e.Details)
}

// ParseError reads a whole ERROR payload. It reports a [*FormatError] for a
// length beyond the input, a code of 0 or an unknown Executed. A code above
// those defined is read as [CodeUnknown]. The result does not alias b.
func ParseError(b []byte) (Error, error) {
	var e Error
	if len(b) < errorFixedBytes+1 {
		return e, short("ERROR", len(b), errorFixedBytes+1)
	}
	e.Code, e.Executed, e.PassedOn = Code(b[0]), Executed(b[1]&^passedOnBit), b[1]&passedOnBit != 0
	if e.Code == 0 {
		return e, &FormatError{Field: "code of ERROR", Limit: 1, Problem: "must be at least"}
	}
	if e.Code > CodeUnauthenticated {
		e.Code = CodeUnknown
	}
	if e.Executed < ExecutedNo || e.Executed > ExecutedYes {
		return e, &FormatError{Field: "executed of ERROR", Value: uint64(e.Executed), Limit: uint64(ExecutedYes), Problem: "must be from 1 to"}
	}
	n := int(b[2])
	b = b[errorFixedBytes+1:]
	if len(b) < n+2 {
		return e, short("reason of ERROR", len(b), n+2)
	}
	e.Reason = string(b[:n])
	m := int(binary.BigEndian.Uint16(b[n:]))
	b = b[n+2:]
	if len(b) < m {
		return e, short("message of ERROR", len(b), m)
	}
	e.Message = string(b[:m])
	var err error
	e.Details, err = ParseMetadata(b[m:])
	return e, err
}

func appendDetails(b []byte, details Metadata) []byte {
	if len(details) == 0 {
		return b
	}
	keys := make([]string, 0, len(details))
	for k := range details {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	room := MaxErrorDetails
	for _, k := range keys {
		v := details[k]
		if n := entryOverhead + len(k) + len(v); carries(k, v) && n <= room {
			b = appendEntry(b, k, v)
			room -= n
		}
	}
	return b
}

// cut shortens s to at most n bytes without splitting a UTF-8 sequence.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
