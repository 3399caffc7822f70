// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// A mark says up to where the log is known to be on the disk.
type mark struct {
	turn   uint64 // grows with each write
	seq    uint64 // of the last batch on the disk
	zxid   int64
	closed bool // the store was closed in order: there is nothing behind it
}

const (
	markName     = "mark"
	markSlotSize = 64
	markSlots    = 2
	// markStride keeps the slots in different sectors, so that one stays whole
	// when the power fails while the other is written.
	markStride     = 512
	markFileSize   = (markSlots-1)*markStride + markSlotSize
	markFlagClosed = 1
)

func (m *mark) append(b []byte, id identity) []byte {
	start := len(b)
	var flags uint64
	if m.closed {
		flags |= markFlagClosed
	}
	b = append(b, markMagic[:]...)
	b = append(b, id[:]...)
	b = appendUint64(b, m.turn, m.seq, uint64(m.zxid), flags) //nolint:gosec // two's complement is the encoding
	b = append(b, make([]byte, 12)...)
	b = b[:start+markSlotSize-4]
	return append(b, sealed(b[start:])[markSlotSize-4:]...)
}

func parseMark(b []byte) (m mark, id identity, version byte, what string) {
	if what = unsealed(b, markMagic); what != "" {
		return m, id, 0, what
	}
	m = mark{turn: uint64At(b, 16), seq: uint64At(b, 24), zxid: int64(uint64At(b, 32))} //nolint:gosec // two's complement is the encoding
	m.closed = uint64At(b, 40)&markFlagClosed != 0
	return m, identity(b[8:16]), b[7], ""
}

// markFile is what the file of the mark was found to hold.
type markFile struct {
	mark
	id    identity
	found bool   // a mark was there
	what  string // what is wrong with the file, if anything is
	at    int64  // ... and where
}

// readMark reads the newer of the two slots that is valid.
func readMark(fs FS) (markFile, error) {
	var m markFile
	f, err := fs.Open(markName)
	if err != nil {
		return m, err
	}
	defer f.Close()
	b := make([]byte, markFileSize+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return m, err
	}
	if n != markFileSize {
		m.what, m.at = fmt.Sprintf("it has %d bytes, want %d", n, markFileSize), int64(min(n, markFileSize))
	}
	if slices.Max(b[markSlotSize:markStride]) > 0 {
		m.what, m.at = "there is something between the slots", markSlotSize
	}
	for i := range markSlots {
		slot := b[i*markStride:][:markSlotSize]
		got, id, version, what := parseMark(slot)
		switch {
		case what != "":
			m.what, m.at = what, int64(i*markStride)
		case version != formatVersion:
			return m, &VersionError{Dir: fs.Name(), File: markName, Version: version}
		case !m.found || got.turn > m.turn:
			m.mark, m.id, m.found = got, id, true
		}
	}
	return m, nil
}

// writeMark makes the file of the mark anew.
func writeMark(fs FS, id identity, m mark) error {
	b := make([]byte, 0, markFileSize)
	b = m.append(b, id)
	b = append(b, make([]byte, markStride-markSlotSize)...)
	b = m.append(b, id)
	return writeWhole(fs, markName, b)
}

// tmpSuffix is behind the name of a file in the making.
const tmpSuffix = ".tmp"

// writeWhole makes a file durable under its name with all of its contents, or
// not at all.
func writeWhole(fs FS, name string, contents []byte) error {
	f, err := fs.Create(name + tmpSuffix)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(contents, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return publish(fs, name)
}

// publish gives a file that was made and synced its name.
func publish(fs FS, name string) error {
	if err := fs.Rename(name+tmpSuffix, name); err != nil {
		return err
	}
	return fs.SyncDir()
}
