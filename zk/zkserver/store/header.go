// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"hash/crc32"
)

// formatVersion is the last byte of the first 8 of every file.
const formatVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func checksumFrom(seed uint32, b []byte) uint32 { return crc32.Update(seed, castagnoli, b) }

// sealed appends the checksum of b to b.
func sealed(b []byte) []byte { return binary.BigEndian.AppendUint32(b, checksum(b)) }

func uint64At(b []byte, i int) uint64 { return binary.BigEndian.Uint64(b[i:]) }
func uint32At(b []byte, i int) uint32 { return binary.BigEndian.Uint32(b[i:]) }

func appendUint64(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// magic is what a file begins with.
func magic(name string) [8]byte {
	m := [8]byte{7: formatVersion}
	copy(m[:7], name)
	return m
}

// An identity tells the files of one store from those of others.
type identity [8]byte

func (id identity) seed() uint32 { return checksum(id[:]) }

// A header is what segments and snapshots begin with.
type header struct {
	id   identity
	seq  uint64
	zxid int64
}

const headerSize = 36

var (
	segmentMagic  = magic("RCLOG")
	snapshotMagic = magic("RCSNP")
	markMagic     = magic("RCMRK")
)

func (h *header) encode(magic [8]byte) []byte {
	b := append(make([]byte, 0, headerSize), magic[:]...)
	b = append(b, h.id[:]...)
	return sealed(appendUint64(b, h.seq, uint64(h.zxid))) //nolint:gosec // two's complement is the encoding
}

// parseHeader returns a header and its format version, or what is wrong with it.
func parseHeader(b []byte, magic [8]byte) (h header, version byte, what string) {
	if what = unsealed(b[:headerSize], magic); what != "" {
		return h, 0, what
	}
	h.id = identity(b[8:16])
	h.seq, h.zxid = uint64At(b, 16), int64(uint64At(b, 24)) //nolint:gosec // two's complement is the encoding
	return h, b[7], ""
}

// unsealed says what is wrong with the first bytes of a block or the checksum at
// its end, if anything is. Any format version is right.
func unsealed(b []byte, magic [8]byte) string {
	n := len(b) - 4
	switch {
	case string(b[:7]) != string(magic[:7]):
		return "the first bytes are not those of such a file"
	case checksum(b[:n]) != uint32At(b, n):
		return "the checksum of the header is wrong"
	}
	return ""
}
