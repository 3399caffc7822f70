// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import "fmt"

// A FormatError reports bytes that are not the frame they claim to be. The
// receiver of such bytes can no longer trust the connection.
type FormatError struct {
	Field   string // the field at fault, as PROTOCOL.md names it
	Value   uint64 // what the field held, or how many bytes there were
	Limit   uint64 // what was allowed or needed; read it with Problem
	Problem string // what is wrong, in words
}

// Error names the field, the value and the limit.
func (e *FormatError) Error() string {
	return fmt.Sprintf("frame: %s is %d, %s %d", e.Field, e.Value, e.Problem, e.Limit)
}

// A LimitKind says which part of a call is larger than allowed. The zero value
// names none.
type LimitKind uint8

// The kinds of a [LimitError].
const (
	LimitMessage  LimitKind = iota + 1 // the body of a request or a reply
	LimitMetadata                      // all metadata of one, or a key or value of them
	LimitMethod                        // the method's name
)

// A LimitError reports a well-formed value that is larger than the receiver
// allows. It concerns one stream; the connection lives on.
type LimitError struct {
	Kind  LimitKind // what is too large, for programs
	Field string    // the same for people, who may read more: "reply", "metadata value of key trace"
	Value int       // its size in bytes
	Limit int       // the largest size allowed, in bytes
}

// Error names the field, its size, the limit and the fix.
func (e *LimitError) Error() string {
	return fmt.Sprintf("frame: %s of %d bytes exceeds the limit of %d bytes: send less, or raise the receiver's limit", e.Field, e.Value, e.Limit)
}

// A VersionError reports a preface of a protocol version that this package
// does not read.
type VersionError struct {
	Got  uint8 // the peer's version
	Want uint8 // the version read here
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("frame: protocol version %d is not supported, version %d is", e.Got, e.Want)
}

func short(field string, have, need int) error {
	return &FormatError{Field: field, Value: uint64(have), Limit: uint64(need), Problem: "the bytes needed are"} //nolint:gosec // a length, not negative
}
