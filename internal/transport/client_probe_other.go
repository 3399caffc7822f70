// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package transport

import "net"

// A probe needs a Unix socket; elsewhere it can tell nothing.
type probe struct{}

func newProbe(net.Conn) *probe { return nil }

func (*probe) unread() bool { return false }

func (*probe) unsent() (n uint64, known bool) { return 0, false }
