// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import "encoding/binary"

// The limits that hold where a peer has not said otherwise, and before its
// preface has arrived.
const (
	DefaultMaxFrame    = 64 << 10 // bytes of payload in one frame
	DefaultMaxMessage  = 4 << 20  // bytes of body in one request or reply
	DefaultMaxMetadata = 16 << 10 // bytes of encoded metadata
	DefaultMaxStreams  = 1000     // calls in flight on one connection
)

// The ranges of the settings. The frame limit cannot be lowered, so that a
// client may send before it has seen the server's preface, and so that every
// ERROR and the head of every REQUEST fit into one frame.
const (
	MinMaxFrame    = DefaultMaxFrame
	MaxMaxFrame    = 16 << 20
	MaxMaxMessage  = 1<<31 - 1
	MaxMaxMetadata = 60 << 10
	MaxMaxStreams  = 1 << 20
)

// The ids of the settings in a preface.
const (
	settingMaxFrame    = 1
	settingMaxMessage  = 2
	settingMaxMetadata = 3
	settingMaxStreams  = 4
	settingBytes       = 6
)

// Settings are the limits of the side that sends them: what it is ready to
// receive. A zero field is not sent and means the protocol's default.
//
//	for each: u16 id, u32 value
type Settings struct {
	MaxFrame    uint32 // id 1: payload of one frame, bytes, 64 KiB to 16 MiB
	MaxMessage  uint32 // id 2: body of one message, bytes, up to 2 GiB - 1
	MaxMetadata uint32 // id 3: encoded metadata of one message, bytes, up to 60 KiB
	MaxStreams  uint32 // id 4: calls in flight, up to 1<<20
}

// WithDefaults returns s with the protocol's default in place of each zero.
func (s Settings) WithDefaults() Settings {
	set := func(v *uint32, def uint32) {
		if *v == 0 {
			*v = def
		}
	}
	set(&s.MaxFrame, DefaultMaxFrame)
	set(&s.MaxMessage, DefaultMaxMessage)
	set(&s.MaxMetadata, DefaultMaxMetadata)
	set(&s.MaxStreams, DefaultMaxStreams)
	return s
}

func (s *Settings) field(id uint16) (v *uint32, name string, low, high uint32) {
	switch id {
	case settingMaxFrame:
		return &s.MaxFrame, "setting max frame", MinMaxFrame, MaxMaxFrame
	case settingMaxMessage:
		return &s.MaxMessage, "setting max message", 1, MaxMaxMessage
	case settingMaxMetadata:
		return &s.MaxMetadata, "setting max metadata", 1, MaxMaxMetadata
	case settingMaxStreams:
		return &s.MaxStreams, "setting max streams", 1, MaxMaxStreams
	}
	return nil, "", 0, 0
}

func appendSettings(b []byte, s Settings) []byte {
	for id := uint16(settingMaxFrame); id <= settingMaxStreams; id++ {
		if v, _, _, _ := s.field(id); *v != 0 {
			b = binary.BigEndian.AppendUint16(b, id)
			b = binary.BigEndian.AppendUint32(b, *v)
		}
	}
	return b
}

// parseSettings reads pairs to the end of b. Unknown ids are skipped: that is
// how the protocol grows without a new version.
func parseSettings(b []byte) (Settings, error) {
	var s Settings
	if n := len(b) % settingBytes; n != 0 {
		return s, &FormatError{Field: "odd bytes after the settings", Value: uint64(n), Problem: "must be"}
	}
	for ; len(b) > 0; b = b[settingBytes:] {
		v, name, low, high := s.field(binary.BigEndian.Uint16(b))
		if v == nil {
			continue
		}
		got := binary.BigEndian.Uint32(b[2:])
		switch {
		case *v != 0:
			return s, &FormatError{Field: name, Value: uint64(got), Limit: uint64(*v), Problem: "and was already sent as"}
		case got < low:
			return s, &FormatError{Field: name, Value: uint64(got), Limit: uint64(low), Problem: "the smallest value is"}
		case got > high:
			return s, &FormatError{Field: name, Value: uint64(got), Limit: uint64(high), Problem: "the largest value is"}
		}
		*v = got
	}
	return s, nil
}
