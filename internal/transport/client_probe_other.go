// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package transport

import "net"

// A Probe needs a Unix socket; elsewhere it can tell nothing.
type Probe struct{}

// NewProbe returns nil.
func NewProbe(net.Conn) *Probe { return nil }

// Peek returns PendingUnknown.
func (*Probe) Peek() Pending { return PendingUnknown }

func (*Probe) unread() bool { return false }

func (*Probe) unsent() (n uint64, known bool) { return 0, false }
