// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"encoding/binary"
	"strconv"
)

const (
	functionName = "divide"
	lengthBytes  = 4   // of a length on the wire
	maxNameBytes = 255 // of a name that is read at all
	argBytes     = 1 + 4
	seqNum1      = 1
	seqNum2      = 2
)

// AppendRequest appends the request for f to b. A Num2 of 1 is left out.
func AppendRequest(b []byte, f Fraction) []byte {
	args := argBytes
	if f.divisor() != defaultNum2 {
		args += argBytes
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(functionName)))
	b = append(b, functionName...)
	b = binary.BigEndian.AppendUint32(b, uint32(args))
	b = appendArg(b, seqNum1, f.Num1)
	if args > argBytes {
		b = appendArg(b, seqNum2, *f.Num2)
	}
	return b
}

func appendArg(b []byte, seq byte, value int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, seq), uint32(value)) //nolint:gosec // two's complement is the encoding
}

// ParseRequest reads the request that b begins with; n is its length. Where b
// holds only a beginning the error is ErrIncomplete and n, at most 259, is how
// many bytes are needed to go on. Any other error is a *FormatError.
func ParseRequest(b []byte) (f Fraction, n int, err error) {
	name, n, err := parseName(b)
	if err != nil {
		return f, n, err
	}
	if name != functionName {
		return f, 0, formatError("name", strconv.Quote(name), `the only function is "divide"`)
	}
	begin := n + lengthBytes
	if len(b) < begin {
		return f, begin, ErrIncomplete
	}
	length := binary.BigEndian.Uint32(b[n:])
	if length != argBytes && length != 2*argBytes {
		return f, 0, formatError("arguments length", length, "it is 5 or 10")
	}
	end := begin + int(length)
	if len(b) < end {
		return f, end, ErrIncomplete
	}
	f, err = parseArgs(b[begin:end])
	if err != nil {
		return Fraction{}, 0, err
	}
	return f, end, nil
}

// parseName reads a length and a name. The whole name is waited for, so that an
// unknown one can be told.
func parseName(b []byte) (name string, n int, err error) {
	if len(b) < lengthBytes {
		return "", lengthBytes, ErrIncomplete
	}
	length := binary.BigEndian.Uint32(b)
	if length == 0 || length > maxNameBytes {
		return "", 0, formatError("name length", length, "it is 6, and never over 255")
	}
	n = lengthBytes + int(length)
	if len(b) < n {
		return "", n, ErrIncomplete
	}
	return string(b[lengthBytes:n]), n, nil
}

// parseArgs reads one argument or two; the length of b is checked.
func parseArgs(b []byte) (f Fraction, err error) {
	var seen [seqNum2 + 1]bool
	for ; len(b) > 0; b = b[argBytes:] {
		seq, value := b[0], int32(binary.BigEndian.Uint32(b[1:])) //nolint:gosec // two's complement is the encoding
		switch {
		case seq != seqNum1 && seq != seqNum2:
			return f, formatError("sequence number", seq, "it is 1 (num1) or 2 (num2)")
		case seen[seq]:
			return f, formatError("sequence number", seq, "it stands there twice, once is allowed")
		case seq == seqNum1:
			f.Num1 = value
		default:
			f.Num2 = &value
		}
		seen[seq] = true
	}
	if !seen[seqNum1] {
		return f, formatError("sequence number", seqNum2, "num1 (sequence number 1) is missing and has no default")
	}
	return f, nil
}
