// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package shortage tells errors of opening a connection that are no fault of the
// other end: this process, or its machine, has run out of something. They pass, and
// who is blamed for them, or gives up for them, is mistaken.
//
// Its functions may be called from any goroutine.
package shortage

import (
	"errors"
	"net"
	"strings"
	"syscall"
)

// lacks are the errors of a kernel that has nothing left to make a socket of.
var lacks = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// Is reports whether err says that a socket could not be made for want of
// descriptors or of memory. Accepting and dialling both meet it.
func Is(err error) bool {
	for _, lack := range lacks {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// OfDescriptors reports whether err says that no descriptor is left, to the process
// or to the system: closing one helps.
func OfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// OfDial is [Is] for an error of dialling, which a want of local ports can have
// caused too.
func OfDial(err error) bool { return Is(err) || errors.Is(err, syscall.EADDRNOTAVAIL) }

// Unveil returns err, and where it is the failure of a look-up that ended for want of
// something, so that errors.Is finds what: package net keeps the words of it alone.
func Unveil(err error) error {
	lookup, ok := errors.AsType[*net.DNSError](err)
	if !ok || lookup.UnwrapErr != nil {
		return err
	}
	for _, lack := range lacks {
		if strings.Contains(lookup.Err, lack.Error()) {
			unveiled := *lookup
			unveiled.UnwrapErr = lack
			return &unveiled
		}
	}
	return err
}
