// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import "encoding/binary"

// Version is the protocol version that this package reads and writes.
const Version uint8 = 1

// FirstByte opens every Rollcall connection. It is not the first byte of
// HTTP, TLS or any text, so that one port can serve them all.
const FirstByte byte = 0xb2

// The sizes of a preface.
const (
	PrefaceHeaderBytes  = 8    // magic, version and body length
	MaxPrefaceBody      = 4096 // bytes after the header
	MaxInstanceID       = 255  // bytes of an instance id
	MaxPrefaceBytes     = PrefaceHeaderBytes + MaxPrefaceBody
	prefaceMagic        = "\xb2ROLL"
	prefaceVersionIndex = len(prefaceMagic)
)

// A Preface is what a client says first. Requests may follow it at once.
//
//	0  5 bytes B2 52 4F 4C 4C
//	5  u8      version
//	6  u16     body length, at most 4096
//	8  u8      instance id length
//	9  …       instance id, empty if any server will do
//	…  …       settings to the end of the body
type Preface struct {
	InstanceID string // the server the client means, at most 255 bytes
	Settings   Settings
}

// A Status is a server's verdict on a preface.
type Status uint8

// The statuses of version 1. After any but StatusOK the server closes; nothing
// that followed the client's preface was executed.
const (
	StatusOK                 Status = 1
	StatusWrongInstance      Status = 2 // the server's id is not the one meant
	StatusUnsupportedVersion Status = 3 // the version field holds the server's newest
)

// String returns the status in words.
func (s Status) String() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusWrongInstance:
		return "wrong instance"
	case StatusUnsupportedVersion:
		return "unsupported version"
	}
	return "status " + hexByte(uint8(s))
}

// A ServerPreface is the server's answer to a [Preface].
//
//	0  5 bytes B2 52 4F 4C 4C
//	5  u8      version
//	6  u16     body length, at most 4096
//	8  u8      status
//	9  u8      instance id length
//	10 …       the server's instance id
//	…  …       settings to the end of the body
type ServerPreface struct {
	Version    uint8 // zero is written as [Version]
	Status     Status
	InstanceID string // at most 255 bytes
	Settings   Settings
}

// AppendPreface appends p. An instance id over 255 bytes is cut off there;
// callers refuse it beforehand.
func AppendPreface(b []byte, p Preface) []byte {
	start := len(b)
	b = appendPrefaceHeader(b, Version)
	b = appendInstanceID(b, p.InstanceID)
	b = appendSettings(b, p.Settings)
	return endPreface(b, start)
}

// AppendServerPreface appends p, with its instance id cut as in
// [AppendPreface].
func AppendServerPreface(b []byte, p ServerPreface) []byte {
	start := len(b)
	if p.Version == 0 {
		p.Version = Version
	}
	b = appendPrefaceHeader(b, p.Version)
	b = append(b, byte(p.Status))
	b = appendInstanceID(b, p.InstanceID)
	b = appendSettings(b, p.Settings)
	return endPreface(b, start)
}

// PrefaceSize returns the size of the whole preface, of either side, that
// begins with b. It needs [PrefaceHeaderBytes] of it and reports a
// [*FormatError] if they are not those of a preface.
func PrefaceSize(b []byte) (int, error) {
	for i := range min(len(b), len(prefaceMagic)) {
		if b[i] != prefaceMagic[i] {
			return 0, &FormatError{
				Field: "preface byte " + string(rune('0'+i)), Value: uint64(b[i]),
				Limit: uint64(prefaceMagic[i]), Problem: "not Rollcall's, which is",
			}
		}
	}
	if len(b) < PrefaceHeaderBytes {
		return 0, short("preface header", len(b), PrefaceHeaderBytes)
	}
	n := int(binary.BigEndian.Uint16(b[prefaceVersionIndex+1:]))
	if n > MaxPrefaceBody {
		return 0, &FormatError{Field: "preface body length", Value: uint64(n), Limit: MaxPrefaceBody, Problem: "the limit is"}
	}
	return PrefaceHeaderBytes + n, nil
}

// ParsePreface reads a client's whole preface. It reports a [*VersionError]
// for another version, whose body it does not look at, and a [*FormatError]
// for everything else.
func ParsePreface(b []byte) (Preface, error) {
	version, body, err := prefaceBody(b)
	if err != nil {
		return Preface{}, err
	}
	if version != Version {
		return Preface{}, &VersionError{Got: version, Want: Version}
	}
	var p Preface
	id, rest, err := parseInstanceID(body)
	if err != nil {
		return p, err
	}
	p.InstanceID = string(id)
	p.Settings, err = parseSettings(rest)
	return p, err
}

// ParseServerPreface reads a server's whole preface. Of one with
// [StatusUnsupportedVersion] only version and status are read, whatever the
// version; otherwise another version is a [*VersionError], and everything else
// a [*FormatError].
func ParseServerPreface(b []byte) (ServerPreface, error) {
	version, body, err := prefaceBody(b)
	if err != nil {
		return ServerPreface{}, err
	}
	p := ServerPreface{Version: version}
	if len(body) < 1 {
		return p, short("preface status", 0, 1)
	}
	p.Status = Status(body[0])
	if p.Status == StatusUnsupportedVersion {
		return p, nil
	}
	if version != Version {
		return p, &VersionError{Got: version, Want: Version}
	}
	if p.Status < StatusOK || p.Status > StatusUnsupportedVersion {
		return p, &FormatError{Field: "preface status", Value: uint64(p.Status), Limit: uint64(StatusUnsupportedVersion), Problem: "must be from 1 to"}
	}
	id, rest, err := parseInstanceID(body[1:])
	if err != nil {
		return p, err
	}
	p.InstanceID = string(id)
	p.Settings, err = parseSettings(rest)
	return p, err
}

func appendPrefaceHeader(b []byte, version uint8) []byte {
	b = append(b, prefaceMagic...)
	return append(b, version, 0, 0)
}

func endPreface(b []byte, start int) []byte {
	n := len(b) - start - PrefaceHeaderBytes
	binary.BigEndian.PutUint16(b[start+prefaceVersionIndex+1:], uint16(n)) //nolint:gosec // under 300
	return b
}

func prefaceBody(b []byte) (version uint8, body []byte, err error) {
	n, err := PrefaceSize(b)
	if err != nil {
		return 0, nil, err
	}
	if len(b) != n {
		return 0, nil, short("preface", len(b), n)
	}
	return b[prefaceVersionIndex], b[PrefaceHeaderBytes:], nil
}

func appendInstanceID(b []byte, id string) []byte {
	id = id[:min(len(id), MaxInstanceID)]
	b = append(b, byte(len(id))) //nolint:gosec // checked before
	return append(b, id...)
}

func parseInstanceID(b []byte) (id, rest []byte, err error) {
	if len(b) < 1 {
		return nil, nil, short("instance id length", 0, 1)
	}
	n := int(b[0])
	if len(b)-1 < n {
		return nil, nil, short("instance id", len(b)-1, n)
	}
	return b[1 : 1+n], b[1+n:], nil
}
