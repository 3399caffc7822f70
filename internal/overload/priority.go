// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package overload

// A Priority says which calls are refused first.
type Priority uint8

// The priorities.
const (
	Default   Priority = iota
	Critical           // is refused last
	Sheddable          // is refused first
)

// of returns how many calls in hand keep one of this priority out.
func (p Priority) of(limit int64) int64 {
	switch p {
	case Critical:
		return limit + max(1, limit/4)
	case Sheddable:
		return limit - limit/4
	case Default:
	}
	return limit
}
