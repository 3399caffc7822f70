// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package store keeps a sequence of opaque records and snapshots in a directory
// so that what was appended survives the end of the process and of the power.
//
//	st, rec, err := store.Open(store.Options{FS: store.Dir("/var/lib/rollcall")})
//	…                       // load rec.Snapshot() and rec.Records()
//	batch.Reset()
//	batch.Add(zxid, encode) // any number of times
//	err = st.Append(&batch) // nil: the batch is on the disk
//
// It knows nothing of what it keeps except that each batch has a zxid, which
// grows.
//
// # Files
//
//	LOCK                      held by the process that has the store open
//	log.FIRST                 a segment: the batches from sequence number FIRST on
//	snapshot.LAST             what all batches up to LAST come to
//	mark                      the last batch that is known to be on the disk
//	reserve                   zeros that are given up where the disk is full
//	RESTORED                  there if clients may have seen more than there is
//	NAME.tmp                  a file in the making; has no meaning
//
// FIRST and LAST are 16 hexadecimal digits. All numbers are big-endian; every
// checksum is CRC-32C. Checksums of batches begin with the identity of the
// store, 8 random bytes, so that data in a batch cannot pass for a batch.
//
//	segment   header "RCLOG" 0 0 1, identity 8, FIRST 8, zxid before 8, checksum 4
//	          then batches, then zeros: room for more
//	batch     header "RCBT", records 4, length 8, sequence number 8, zxid 8,
//	          checksum of the payload 4, checksum of the header 4
//	          then the payload: records, each with its length 4 before it
//	snapshot  header "RCSNP" 0 0 1, identity 8, LAST 8, zxid 8, checksum 4
//	          then chunks: length 4, checksum 4, bytes
//	          then 0 4, chunks 8, bytes 8, checksum of all of them 4, checksum 4
//	mark      two slots of 64 bytes, 512 bytes apart, written in turn:
//	          "RCMRK" 0 0 1, identity 8, turn 8, sequence number 8, zxid 8, flags 8,
//	          zeros 12, checksum 4
//
// The last segment is filled with zeros for up to 512 KiB before it has to be, so
// that most batches are written over them: their sync then has neither a length
// nor blocks to note, which takes the file system longer than to write a small
// batch. The zeros are written before a batch that does not fit in what is left of
// them, and its sync is theirs. They do not reach beyond [Options.SegmentBytes]; a
// batch of more than 64 KiB is written without; and where the disk has no space
// for them, they are given back and the segment goes on without. They are cut off
// when the store is closed, before the mark says so, when the next segment is
// begun, and when a store is opened that was not closed. Programs from before there
// were any therefore read such a store: at worst they warn that they cut off a
// batch that was being written, and the format has the same version.
//
// New segments, snapshots and marks are written under another name, synced, and
// renamed; the directory is synced after each change. The two newest snapshots
// are kept, and the segments since the older of them.
//
// # What is durable when
//
// [Store.Append] writes a batch with one write, syncs the segment, and then
// writes the mark, without a sync of its own. A batch therefore is only begun
// when the one before it is on the disk. The mark is synced by [Store.Settle],
// which should be called about once a second, and whenever a segment or snapshot
// is begun or the store closed. It never says more than is true.
//
// An error of a write, sync, rename or any other change stops the store for
// good: what the disk holds is not known then, and a second sync may report
// success for data that the system has dropped (PostgreSQL's "fsyncgate"). The one
// exceptions are that there is no space for zeros: however many of them were written,
// they mean nothing; and [ErrFull].
//
// # Where the disk is full
//
// The log grows until a snapshot takes its place. Space is needed for three snapshots,
// one of them in the making, for twice [Options.SnapshotBytes] of log, or twice a
// snapshot if that is more, and for the reserve, which is as large as a snapshot.
// Where there is less:
//
//   - When no space is left for zeros, the next snapshot is due, and only that one is
//     kept, with the log behind it.
//   - When no space is left for a batch, the store stops. Opened again, it gives up the
//     reserve, and [Store.Full] says so: a snapshot, which fits in what the reserve
//     took, should be written before anything else. It takes the place of the log, and
//     the reserve is made anew.
//   - What does not fit at all is too great for the disk. The store can still be opened,
//     for 64 KiB of the reserve are given to nothing else.
//
// # What damage is found
//
// [Open] reads and checks every byte that is kept, before anything is served.
// Damage to the log makes it fail with a [*DamageError]: a batch that is not
// valid, or missing, although
//
//   - it stands in a segment that is not the last, or
//   - a later batch was begun: the header of one follows, or
//   - the mark says that it was on the disk.
//
// An invalid end of the last segment that none of this applies to is a batch
// that was being written when the process or the power ended. Nobody was told of
// it, and it is cut off. Anything but zeros behind the last batch is such an end:
// in the room of the last segment it is reported and cut off, in one that is not
// the last, or of a store that was closed, it is damage. Zeros are right anywhere
// behind the last batch, however the segment came to have them: that no batch is
// missing is known from the numbers and the mark.
//
// What was written but not marked is written and synced again before it is used,
// since a system that failed to write a page may show it nevertheless. For the same
// reason the length is set again, and zeros that an earlier process wrote are not
// used.
//
// A damaged snapshot is reported, and the older one is used if the log is
// complete from there. A damaged mark is reported and written anew.
//
// Two things cannot be told apart, both only after a loss of power (not of the
// process) and only for the very last batch, if it was written after the last
// [Store.Settle]: damage to it, and that it never was whole.
//
// One loss is tolerated and reported: the file ends within, or just before, the
// last marked batch, or has nothing but zeros from its beginning on, and the store
// was not closed in order. That is what a disk leaves that reported a sync it had
// not done. [Recovered] says so, and that the zxid must jump, see
// [Recovered.Restored]. Where anything else of the batch is left, it is damage.
//
// # Concurrency
//
// Append, Settle and BeginSnapshot must not be called at the same time as each
// other. A [SnapshotWriter] may be used from another goroutine meanwhile.
package store
