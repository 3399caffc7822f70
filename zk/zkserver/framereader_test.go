// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"
)

func frameOf(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// readAll returns the payloads of all frames in src.
func readAll(t *testing.T, src io.Reader, limit int) (frames [][]byte, biggest int) {
	t.Helper()
	f := newFrameReader(src, limit)
	for {
		for {
			payload, ok, err := f.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			frames = append(frames, bytes.Clone(payload))
		}
		err := f.fill()
		biggest = max(biggest, len(f.buf))
		if err != nil {
			return frames, biggest
		}
	}
}

func TestFrameReader(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const limit = 300_000
	var stream []byte
	var want [][]byte
	for range 200 {
		size := rnd.IntN(200)
		switch rnd.IntN(20) {
		case 0:
			size = rnd.IntN(limit + 1)
		case 1:
			size = limit
		}
		payload := bytes.Repeat([]byte{byte(rnd.IntN(256))}, size)
		want = append(want, payload)
		stream = append(stream, frameOf(payload)...)
	}
	for name, src := range map[string]io.Reader{
		"whole":  bytes.NewReader(stream),
		"halves": iotest.HalfReader(bytes.NewReader(stream)),
		"bytes":  iotest.OneByteReader(bytes.NewReader(stream[:20_000])),
	} {
		got, _ := readAll(t, src, limit)
		if name != "bytes" && len(got) != len(want) {
			t.Errorf("%s: got %d frames, want %d", name, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%s: frame %d: got %d bytes, want %d of another kind", name, i, len(got[i]), len(want[i]))
			}
		}
	}
}

// A length that was only announced takes no memory; a large frame gives its
// memory back.
func TestFrameReaderMemory(t *testing.T) {
	const limit = 1 << 20
	announced := append(binary.BigEndian.AppendUint32(nil, limit), make([]byte, 100)...)
	if _, biggest := readAll(t, bytes.NewReader(announced), limit); biggest != firstRead {
		t.Errorf("100 bytes of an announced MiB: got a buffer of %d bytes, want %d", biggest, firstRead)
	}
	_, biggest := readAll(t, bytes.NewReader(append(announced, make([]byte, 200_000)...)), limit)
	if biggest > 2*200_104 {
		t.Errorf("200 kB of an announced MiB: got a buffer of %d bytes, want at most twice what came", biggest)
	}
	f := newFrameReader(bytes.NewReader(frameOf(make([]byte, limit))), limit)
	for {
		if err := f.fill(); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := f.next(); ok {
			break
		}
	}
	f.fill() //nolint:errcheck // what it has read is looked at
	if len(f.buf) != firstRead {
		t.Errorf("behind a frame of 1 MiB: got a buffer of %d bytes, want %d", len(f.buf), firstRead)
	}
	for _, bad := range []uint32{limit + 1, 1 << 31, 0xffffffff} {
		f := newFrameReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, bad)), limit)
		f.fill() //nolint:errcheck // what it has read is looked at
		if _, ok, err := f.next(); ok || err == nil {
			t.Errorf("length 0x%x: got no error, want one", bad)
		}
	}
}
