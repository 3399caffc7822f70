// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// A baseline is what Go and TCP can do without a protocol: 4 bytes of length, 8
// of slot, the payload; a writer that yields once and writes all there is; a
// server that answers inline when its buffer is drained. Compare only figures
// of one run.
type baseline struct {
	conn  net.Conn
	mu    sync.Mutex
	buf   []byte
	wake  chan struct{}
	slots []chan int
	reply [][]byte
	wg    sync.WaitGroup
}

func newBaseline(b *testing.B, callers int) *baseline {
	b.Helper()
	client, server := tcpPair(b)
	bl := &baseline{conn: client, wake: make(chan struct{}, 1)}
	for range callers {
		bl.slots = append(bl.slots, make(chan int, 1))
		bl.reply = append(bl.reply, make([]byte, 128<<10))
	}
	bl.wg.Go(bl.write)
	bl.wg.Go(bl.read)
	bl.wg.Go(func() { baselineServer(server) })
	b.Cleanup(func() {
		client.Close()
		close(bl.wake)
		bl.wg.Wait()
	})
	return bl
}

func baselineServer(conn net.Conn) {
	defer conn.Close()
	in := make([]byte, 128<<10)
	var out []byte
	r, w := 0, 0
	for {
		for w-r >= 12 {
			size := 12 + int(binary.BigEndian.Uint32(in[r:]))
			if w-r < size {
				break
			}
			out = append(out, in[r:r+size]...)
			r += size
		}
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		w = copy(in, in[r:w])
		r = 0
		n, err := conn.Read(in[w:])
		if err != nil {
			return
		}
		w += n
	}
}

func (bl *baseline) write() {
	var spare []byte
	for range bl.wake {
		runtime.Gosched()
		bl.mu.Lock()
		out := bl.buf
		bl.buf = spare[:0]
		bl.mu.Unlock()
		if _, err := bl.conn.Write(out); err != nil {
			return
		}
		spare = out
	}
}

func (bl *baseline) read() {
	in := make([]byte, 128<<10)
	r, w := 0, 0
	for {
		for w-r >= 12 {
			size := 12 + int(binary.BigEndian.Uint32(in[r:]))
			if w-r < size {
				break
			}
			slot := binary.BigEndian.Uint64(in[r+4:])
			bl.slots[slot] <- copy(bl.reply[slot], in[r+12:r+size])
			r += size
		}
		w = copy(in, in[r:w])
		r = 0
		n, err := bl.conn.Read(in[w:])
		if err != nil {
			return
		}
		w += n
	}
}

func (bl *baseline) call(slot int, body []byte) int {
	bl.mu.Lock()
	bl.buf = binary.BigEndian.AppendUint32(bl.buf, uint32(len(body)))
	bl.buf = binary.BigEndian.AppendUint64(bl.buf, uint64(slot))
	bl.buf = append(bl.buf, body...)
	bl.mu.Unlock()
	select {
	case bl.wake <- struct{}{}:
	default:
	}
	return <-bl.slots[slot]
}

func BenchmarkBaselineSequential32B(b *testing.B) {
	bl := newBaseline(b, 1)
	body := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		bl.call(0, body)
	}
}

func BenchmarkBaselineCallers100x1KiB(b *testing.B)    { benchBaseline(b, 1, 100, 1<<10) }
func BenchmarkBaselineCallers1000x1KiBx8(b *testing.B) { benchBaseline(b, 8, 1000, 1<<10) }
func BenchmarkBaselineCallers100x64KiB(b *testing.B)   { benchBaseline(b, 1, 100, 64<<10) }

func benchBaseline(b *testing.B, conns, callers, size int) {
	var all []*baseline
	for range conns {
		all = append(all, newBaseline(b, callers))
	}
	run(b, callers, size, func(i int, body []byte) (int, error) { return all[i%conns].call(i, body), nil })
}

// run shares b.N calls among the callers.
func run(b *testing.B, callers, size int, call func(i int, body []byte) (int, error)) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range callers {
		wg.Go(func() {
			body := make([]byte, size)
			for left.Add(-1) >= 0 {
				if n, err := call(i, body); err != nil || n != size {
					b.Error(n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
