// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

// SetRoom lets the log be filled with zeros for so many bytes at a time, for batches
// of so many at most.
func (s *Store) SetRoom(bytes, batchBytes int64) { s.room = room{bytes, batchBytes} }
