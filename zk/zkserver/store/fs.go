// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import "io"

// An FS is the directory of a store. Names have no directory part. Its methods
// may be called from any goroutine. Errors name the file.
type FS interface {
	// Name returns the directory, for messages.
	Name() string
	// Create makes a new file, mode 0600, and opens it for reading and writing.
	// A file of that name is emptied.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Edit opens an existing file for reading and writing.
	Edit(name string) (File, error)
	// Rename gives a file another name, in place of what has that name.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// List returns the names of all files in any order.
	List() ([]string, error)
	// MakeDir makes the directory itself, mode 0700, if it is not there.
	MakeDir() error
	// SyncDir makes what Create, Rename and Remove did durable.
	SyncDir() error
	// Lock takes the lock that is the file of that name, and returns what gives
	// it back. An error that is [ErrInUse] says that it is taken. Shared locks
	// exclude only the others and change nothing: where the file is not there,
	// there is nothing to exclude.
	Lock(name string, shared bool) (io.Closer, error)
}

// A File is an open file of an [FS].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate changes the length.
	Truncate(size int64) error
	// Sync makes contents and length durable.
	Sync() error
}
