// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"math"
)

// MaxGoAwayText is the size in bytes to which the sender cuts a GOAWAY's text.
const MaxGoAwayText = 1 << 10

// LastStreamAll is the LastStreamID of a GOAWAY that announces draining: all
// requests are still served.
const LastStreamAll uint64 = math.MaxUint64

const goAwayFixedBytes = 9

// A GoAwayReason says why a peer wants no more streams.
type GoAwayReason uint8

// The reasons of version 1. A receiver treats an unknown one as shutdown.
const (
	GoAwayDraining      GoAwayReason = 1 // the server leaves its service soon
	GoAwayProtocolError GoAwayReason = 2 // the receiver broke the protocol; the text says how
	GoAwayIdle          GoAwayReason = 3 // nothing happened for long
	GoAwayShutdown      GoAwayReason = 4 // the sender ends now
)

// String returns the reason in words.
func (r GoAwayReason) String() string {
	switch r {
	case GoAwayDraining:
		return "draining"
	case GoAwayProtocolError:
		return "protocol error"
	case GoAwayIdle:
		return "idle"
	case GoAwayShutdown:
		return "shutdown"
	}
	return "reason " + hexByte(uint8(r))
}

// A GoAway is the payload of a GOAWAY frame.
//
//	0 u64 last stream id that was or may be handed to a handler
//	8 u8  reason
//	9 …   text, to the end
type GoAway struct {
	LastStreamID uint64 // streams above it are surely not executed
	Reason       GoAwayReason
	Text         string // for people; at most 1 KiB
}

// AppendGoAway appends g, its text cut to [MaxGoAwayText].
func AppendGoAway(b []byte, g GoAway) []byte {
	b = binary.BigEndian.AppendUint64(b, g.LastStreamID)
	b = append(b, byte(g.Reason))
	return append(b, cut(g.Text, MaxGoAwayText)...)
}

// ParseGoAway reads a whole GOAWAY payload; fewer than 9 bytes or a reason of 0
// are a [*FormatError]. The result does not alias b.
func ParseGoAway(b []byte) (GoAway, error) {
	if len(b) < goAwayFixedBytes {
		return GoAway{}, short("GOAWAY", len(b), goAwayFixedBytes)
	}
	g := GoAway{LastStreamID: binary.BigEndian.Uint64(b), Reason: GoAwayReason(b[8])}
	if g.Reason == 0 {
		return g, &FormatError{Field: "reason of GOAWAY", Limit: 1, Problem: "must be at least"}
	}
	g.Text = string(b[goAwayFixedBytes:])
	return g, nil
}
