// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

const (
	// roomBytes is how far the last segment is filled with zeros at a time. The
	// batch that has to wait for it takes about a millisecond longer; with more,
	// that grows, and with less there are more of them.
	roomBytes = 512 << 10
	// roomBatchBytes is from what length on a batch extends the file itself: it
	// would be spared little beside what it takes to write its bytes twice.
	roomBatchBytes = 64 << 10
)

// A room says how far the last segment is filled with zeros at a time, and for
// batches up to what length.
type room struct{ bytes, batchBytes int64 }

// zeros is never written, so that it takes no memory on most systems.
var zeros [roomBytes + roomBatchBytes]byte

// makeRoom sees that a batch of n bytes, and more behind it, find zeros to
// overwrite, so that their sync has no length and no blocks to note. The zeros are
// really written: blocks that are only allocated are noted when they are first
// used. Without a sync of its own, it is durable when the batch is.
//
// Zeros mean nothing, however many of them get there. A disk that is full
// therefore does not stop the store here: the batch may fit still, and what the
// zeros took is given back first.
func (s *Store) makeRoom(n int64) error {
	end := s.off + n
	if end <= s.size || s.noRoom || n > s.room.batchBytes {
		return nil
	}
	size := min((end/s.room.bytes+1)*s.room.bytes, s.opts.SegmentBytes)
	if size <= end {
		return nil
	}
	_, err := s.log.WriteAt(zeros[:size-s.size], s.size)
	switch {
	case err == nil:
		s.size = size
	case isFull(err):
		s.noRoom = true
		s.setFull()
		return s.log.Truncate(s.size)
	}
	return err
}

// trim cuts the zeros off behind the last batch, durably.
func (s *Store) trim() error {
	if s.log == nil || s.size == s.off {
		return nil
	}
	if err := s.log.Truncate(s.off); err != nil {
		return err
	}
	s.size = s.off
	return s.log.Sync()
}

// onlyZeros reports whether a file has nothing else in a range.
func onlyZeros(f File, from, to int64) (bool, error) {
	buf := make([]byte, min(1<<16, to-from))
	for at := from; at < to; at += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), to-at)]
		if err := readAt(f, b, at); err != nil {
			return false, err
		}
		for _, c := range b {
			if c != 0 {
				return false, nil
			}
		}
	}
	return true, nil
}
