// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package crashfs is a directory in memory that loses power, fills up and fails
// when a test says so.
//
//	fs := crashfs.New("data")
//	fs.CrashAt(17, "")   // the 17th change from now is cut short, and all is over
//	…                    // use it as a [store.FS]
//	fs = fs.Crash(rng)   // what a disk may hold afterwards
//
// It keeps what a disk is bound to keep apart from what the system shows: the
// contents of a file are bound to be there once they were synced, and the names
// of a directory once that was. Whatever else happened since may be there or not
// after a loss of power, in part and in any order: a name without its contents, a
// later write without an earlier one, one file and not another, some sectors of a
// write and the beginning of others, a length with zeros or with what stood on
// the disk before, and, of a write over what was synced, old and new sectors side
// by side.
//
// # Concurrency
//
// The methods of FS and its files may be called from any goroutine.
package crashfs
