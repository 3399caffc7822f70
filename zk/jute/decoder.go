// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

import (
	"encoding/binary"
	"fmt"
)

// A DecodeError says what could not be read from a record and where.
type DecodeError struct {
	What   string // what was being read: "int", "buffer length -7", …
	Offset int    // where in the input it begins, in bytes
	Need   int    // how many bytes it takes
	Have   int    // how many were left
}

// Error names what was being read, its place and what was missing.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("jute: %s at offset %d needs %d bytes, %d are left", e.What, e.Offset, e.Need, e.Have)
}

// A Decoder reads values from one record. The first failure sticks: later reads
// return zero values, so a caller reads everything and asks [Decoder.Err] once.
// No read allocates more than the bytes that are left in the input.
type Decoder struct {
	buf []byte
	off int
	err error
}

// NewDecoder returns a Decoder of b. The Decoder does not copy b.
func NewDecoder(b []byte) Decoder { return Decoder{buf: b} }

// Err returns the first failure, a *DecodeError, or nil.
func (d *Decoder) Err() error { return d.err }

// Rest returns the bytes not read yet. They alias the input.
func (d *Decoder) Rest() []byte { return d.buf[d.off:] }

// Len returns how many bytes are left.
func (d *Decoder) Len() int { return len(d.buf) - d.off }

// take returns the next n bytes, or nil after noting why they are not there.
func (d *Decoder) take(n int, what string) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > d.Len() {
		d.err = &DecodeError{What: what, Offset: d.off, Need: n, Have: d.Len()}
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Bool reads 1 byte; any value but 0 is true.
func (d *Decoder) Bool() bool {
	b := d.take(1, "bool")
	return b != nil && b[0] != 0
}

// Int reads a 32-bit integer.
func (d *Decoder) Int() int32 {
	b := d.take(4, "int")
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b)) //nolint:gosec // two's complement is the encoding
}

// Long reads a 64-bit integer.
func (d *Decoder) Long() int64 {
	b := d.take(8, "long")
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b)) //nolint:gosec // two's complement is the encoding
}

// Buffer reads a length and that many bytes. The length -1 gives nil, 0 gives an
// empty slice that is not nil. The result aliases the input.
func (d *Decoder) Buffer() []byte {
	n := d.Int()
	if d.err != nil || n == -1 {
		return nil
	}
	if n < 0 {
		d.fail("buffer length", n)
		return nil
	}
	return d.take(int(n), "buffer")
}

// String reads a length and that many bytes of UTF-8; the length -1 gives "".
// The bytes are not checked: paths are validated where they are used.
func (d *Decoder) String() string {
	s, _ := d.NullString()
	return s
}

// NullString reads a string and tells whether it was there at all: the length
// -1 gives "", false.
func (d *Decoder) NullString() (s string, ok bool) {
	n := d.Int()
	if d.err != nil || n == -1 {
		return "", false
	}
	if n < 0 {
		d.fail("string length", n)
		return "", false
	}
	b := d.take(int(n), "string")
	return string(b), b != nil
}

// Count reads the number of elements of a vector whose elements take at least
// minSize bytes each. The count -1 (a null vector) gives 0, false; so does a
// count that cannot fit what is left, which is also a failure.
func (d *Decoder) Count(minSize int) (n int, ok bool) {
	c := d.Int()
	if d.err != nil || c == -1 {
		return 0, false
	}
	if c < 0 || int(c) > d.Len()/minSize {
		d.fail("vector count", c)
		return 0, false
	}
	return int(c), true
}

// Strings reads a vector of strings. A null vector gives nil, an empty one an
// empty slice that is not nil.
func (d *Decoder) Strings() []string {
	n, ok := d.Count(4)
	if !ok {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.String()
	}
	return list
}

func (d *Decoder) fail(what string, value int32) {
	if d.err == nil {
		d.err = &DecodeError{What: fmt.Sprintf("%s %d", what, value), Offset: d.off - 4, Need: int(value), Have: d.Len()}
	}
}
