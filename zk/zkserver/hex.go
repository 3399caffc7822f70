// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"fmt"
	"strconv"
)

// A Hex is a zxid or the id of a session. As text, also in JSON, it is what
// ZooKeeper's tools write: "0x" and hexadecimal digits.
type Hex int64

// String returns "0x…".
func (h Hex) String() string { return "0x" + strconv.FormatUint(uint64(h), 16) } //nolint:gosec // a pattern of bits

// MarshalText returns what String does.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText returns, or a number without 0x in front,
// which is decimal.
func (h *Hex) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 64)
	if err != nil {
		return fmt.Errorf("zkserver: Hex %q: want 0x and up to 16 hexadecimal digits", text)
	}
	*h = Hex(n) //nolint:gosec // a pattern of bits
	return nil
}
