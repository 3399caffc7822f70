// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "time"

const (
	// slowestLink is the bandwidth in bytes per second below which a link that
	// cannot be asked is taken for dead.
	slowestLink = 256 << 10
	// mostUnderWay is how much is assumed to be under way at most, 16 s of
	// slowestLink: a socket hardly holds more.
	mostUnderWay = 4 << 20
	// longestWay is how long that takes.
	longestWay = mostUnderWay * time.Second / slowestLink
)

// A link stands in for a socket that does not tell how far its bytes have come. It
// assumes that they go out with slowestLink, unless the peer's answers show that
// they were faster. One goroutine uses it.
type link struct {
	arrived uint64    // position of the end of what is assumed to have arrived
	taken   uint64    // and of what the connection had taken
	at      time.Time // when that was so
}

// rest lets time pass in which what is new since the last look was not there yet.
func (l *link) rest(now time.Time) { l.carry(now, l.taken) }

// look returns the position of the end of what is assumed to have arrived, of what
// the connection has taken; up to confirmed the peer has answered.
func (l *link) look(now time.Time, taken, confirmed uint64) uint64 {
	l.carry(now, taken)
	l.taken = taken
	l.arrived = max(l.arrived, confirmed, taken-min(taken, mostUnderWay))
	return l.arrived
}

// carry lets bytes before end arrive.
func (l *link) carry(now time.Time, end uint64) {
	took := min(max(now.Sub(l.at), 0), longestWay)
	l.at = now
	l.arrived = max(l.arrived, min(end, l.arrived+uint64(took)*slowestLink/uint64(time.Second)))
}
