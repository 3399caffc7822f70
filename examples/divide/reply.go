// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// MaxMessageBytes bounds the message of a reply. The format itself has no bound.
const MaxMessageBytes = 64 << 10

// A Kind says which of the two replies a [Reply] is; it is the first byte.
type Kind uint8

// The kinds of a reply.
const (
	KindResult           Kind = 1 // u8 1, f32 value
	KindInvalidOperation Kind = 2 // u8 2, u32 length, message
)

const resultBytes = 1 + 4

// A Reply is what a server answers.
type Reply struct {
	Kind    Kind
	Value   float32 // of KindResult
	Message string  // of KindInvalidOperation
}

// AppendReply appends r to b. The error is a *FormatError: an unknown kind, a
// result that is not finite, a message that is not UTF-8 or exceeds
// MaxMessageBytes.
func AppendReply(b []byte, r Reply) ([]byte, error) {
	if err := r.check(); err != nil {
		return b, err
	}
	b = append(b, byte(r.Kind))
	if r.Kind == KindResult {
		return binary.BigEndian.AppendUint32(b, math.Float32bits(r.Value)), nil
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Message))) //nolint:gosec // short
	return append(b, r.Message...), nil
}

func (r *Reply) check() error {
	switch r.Kind {
	case KindResult:
		// JSON has no such numbers, and a quotient of integers is none.
		if v := float64(r.Value); math.IsNaN(v) || math.IsInf(v, 0) {
			return formatError("result", v, "a quotient is a finite number")
		}
	case KindInvalidOperation:
		if len(r.Message) > MaxMessageBytes {
			return messageTooLong(uint64(len(r.Message)))
		}
		if !utf8.ValidString(r.Message) {
			return formatError("message", fmt.Sprintf("%.40q", r.Message), "it is UTF-8")
		}
	default:
		return unknownKind(r.Kind)
	}
	return nil
}

func messageTooLong(length uint64) error {
	return formatError("message length", length, fmt.Sprintf("it is at most %d", MaxMessageBytes))
}

func unknownKind(k Kind) error {
	return formatError("kind", uint8(k), "it is 1 (a result) or 2 (invalid operation)")
}

// ParseReply reads the reply that b begins with; n is its length. Where b holds
// only a beginning the error is ErrIncomplete and n is how many bytes are needed
// to go on, at most MaxMessageBytes and 5. Any other error is a *FormatError.
func ParseReply(b []byte) (r Reply, n int, err error) {
	if len(b) == 0 {
		return r, 1, ErrIncomplete
	}
	r.Kind = Kind(b[0])
	if r.Kind != KindResult && r.Kind != KindInvalidOperation {
		return Reply{}, 0, unknownKind(r.Kind)
	}
	n = resultBytes // a length has as many bytes as a value
	if len(b) < n {
		return Reply{}, n, ErrIncomplete
	}
	word := binary.BigEndian.Uint32(b[1:])
	if r.Kind == KindResult {
		r.Value = math.Float32frombits(word)
	} else {
		if word > MaxMessageBytes {
			return Reply{}, 0, messageTooLong(uint64(word))
		}
		begin := n
		n += int(word)
		if len(b) < n {
			return Reply{}, n, ErrIncomplete
		}
		r.Message = string(b[begin:n])
	}
	if err := r.check(); err != nil {
		return Reply{}, 0, err
	}
	return r, n, nil
}
