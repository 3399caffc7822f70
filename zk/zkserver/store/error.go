// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
)

var (
	// ErrInUse is in the error of [Open] and [Check] when another process, or
	// another part of this one, has the store open.
	ErrInUse = errors.New("another process has it open")
	// ErrClosed is what the methods of a closed [Store] return.
	ErrClosed = errors.New("store: closed")
	// ErrNoStore is in the error of [Check] and [Backup] when there is no store
	// in the directory.
	ErrNoStore = errors.New("there is no data in it")
)

// A DamageError says that the files do not hold what was once on the disk.
type DamageError struct {
	Dir    string
	File   string // its name in Dir; empty: Dir as a whole
	Offset int64  // in bytes, of what is damaged
	What   string // what was found and what was expected
}

// Error names the file, the place, what was found and what to do.
func (e *DamageError) Error() string {
	return fmt.Sprintf("store: %s/%s is damaged at offset %d: %s; restore a backup, or the file", e.Dir, e.File, e.Offset, e.What)
}

// A VersionError says that a file was written by a version of this package that
// is not known.
type VersionError struct {
	Dir, File string
	Version   byte
}

// Error names the file and its version.
func (e *VersionError) Error() string {
	return fmt.Sprintf("store: %s/%s has format version %d, want %d: it was written by a newer program, use that", e.Dir, e.File, e.Version, formatVersion)
}
