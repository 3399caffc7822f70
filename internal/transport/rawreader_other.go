// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package transport

import "net"

// A rawReader is not known here.
type rawReader struct{}

func newRawReader(net.Conn, *inbox) *rawReader { return nil }

func (*rawReader) read() (int, error) { panic("transport: there are no raw readers here") }
