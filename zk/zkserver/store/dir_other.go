// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package store

import (
	"errors"
	"os"
)

// lockFile refuses: without a lock two servers could write one log.
func lockFile(f *os.File, shared bool) error {
	if shared {
		return nil
	}
	return errors.New("lock " + f.Name() + ": there are no locks on this system, keep the data in memory")
}

// isFull says no: every error stops the store.
func isFull(error) bool { return false }

// syncDir does nothing: such systems keep directories durable by themselves.
func syncDir(string) error { return nil }
