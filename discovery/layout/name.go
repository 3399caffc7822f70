// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"cmp"
	"strconv"
	"strings"
)

// NodePrefix is what the name of a server's node begins with. ZooKeeper appends
// the sequence number.
const NodePrefix = "server"

// Sequence returns the number behind [NodePrefix] in the name of a node, and
// false for a name of another shape. ZooKeeper writes the number as %010d of a
// signed counter of 32 bits, so that "server-2147483648" comes after
// "server2147483647": only the creating transaction tells the age for certain.
// Source: PrepRequestProcessor; ZooKeeper Programmer's Guide, Sequence Nodes.
func Sequence(name string) (seq int32, ok bool) {
	digits, found := strings.CutPrefix(name, NodePrefix)
	if !found || len(digits) < 10 || len(digits) > 11 || digits[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || (len(digits) == 11) != (n <= -1_000_000_000) {
		return 0, false
	}
	return int32(n), true
}

// CompareNames orders the names of nodes that one transaction created: by
// number where both have one, those without behind them, as text.
func CompareNames(a, b string) int {
	m, aok := Sequence(a)
	n, bok := Sequence(b)
	switch {
	case aok && bok:
		return cmp.Compare(m, n)
	case aok:
		return -1
	case bok:
		return 1
	}
	return cmp.Compare(a, b)
}
