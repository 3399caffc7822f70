// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

func TestPendingAgainstAMap(t *testing.T) {
	var p pending
	model := make(map[uint64]*call)
	var last uint64
	for i := range 10_000 {
		if i%3 != 2 || len(model) == 0 {
			cl := &call{}
			p.add(cl)
			if cl.id <= last {
				t.Fatalf("id %d follows %d", cl.id, last)
			}
			last = cl.id
			model[cl.id] = cl
			continue
		}
		for id, want := range model { // in random order
			if got := p.take(id); got != want {
				t.Fatalf("take(%d) = %v, want %v", id, got, want)
			}
			if p.take(id) != nil || p.get(id) != nil {
				t.Fatalf("%d is still there", id)
			}
			delete(model, id)
			break
		}
	}
	if p.count != len(model) {
		t.Errorf("count %d, want %d", p.count, len(model))
	}
	above := p.takeAbove(last / 2)
	for _, cl := range above {
		if cl.id <= last/2 {
			t.Errorf("took %d", cl.id)
		}
		delete(model, cl.id)
	}
	for id := range model {
		if id > last/2 {
			t.Errorf("left %d", id)
		}
	}
}

func TestRequestTableAgainstAMap(t *testing.T) {
	var table requestTable
	model := make(map[uint64]*request)
	for i := range uint64(1000) {
		r := &request{ServerRequest: ServerRequest{StreamID: i * 64}} // all collide for long
		table.add(r)
		model[r.StreamID] = r
		if i%2 == 1 {
			gone := model[i/2*64]
			if gone != nil {
				table.remove(gone)
				delete(model, gone.StreamID)
			}
		}
	}
	for i := range uint64(1001) {
		if got, want := table.get(i*64), model[i*64]; got != want {
			t.Fatalf("get(%d) = %v, want %v", i*64, got, want)
		}
	}
	if table.count != len(model) {
		t.Errorf("count %d, want %d", table.count, len(model))
	}
}

func TestBuffers(t *testing.T) {
	for _, n := range []int{0, 1, 64, 65, 1000, 1 << 23, 1<<23 + 1} {
		b := getBuffer(n)
		if len(b) != n || (n <= 1<<23 && cap(b) > max(2*n, 64)) {
			t.Errorf("getBuffer(%d): len %d, cap %d", n, len(b), cap(b))
		}
		putBuffer(b)
	}
	putBuffer(nil)
	putBuffer(make([]byte, 100)) // not ours
	b := growBuffer(append(getBuffer(3)[:0], "abc"...), 1000)
	if string(b) != "abc" || cap(b) < 1003 {
		t.Errorf("growBuffer: %q, cap %d", b, cap(b))
	}
}

func TestReleasedBuffersAreOverwrittenInRaceBuilds(t *testing.T) {
	if !raceEnabled {
		t.Skip("not a race build")
	}
	r := Reply{buf: getBuffer(100)}
	r.Body = r.buf
	kept := r.Body
	r.Release()
	if kept[0] != 0xdb || kept[99] != 0xdb || r.Body != nil {
		t.Errorf("after Release: %x", kept)
	}
}

// Tasks that block do not keep others from running, and quick ones reuse few
// goroutines.
func TestWorkers(t *testing.T) {
	w := NewWorkers()
	const blocked = 300
	release := make(chan struct{})
	var entered, quick sync.WaitGroup
	entered.Add(blocked)
	for range blocked {
		submit(w, &task{run: func() {
			entered.Done()
			<-release
		}})
	}
	entered.Wait()
	var ran atomic.Int32
	quick.Add(1000)
	for range 1000 {
		submit(w, &task{run: func() {
			ran.Add(1)
			quick.Done()
		}})
	}
	quick.Wait()
	close(release)
	w.Close()
	w.Close()
	if ran.Load() != 1000 {
		t.Errorf("%d ran", ran.Load())
	}
}

func TestWorkersKeepFewIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers()
		release := make(chan struct{})
		for range 2 * maxIdleWorkers {
			submit(w, &task{run: func() { <-release }})
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		w.mu.Lock()
		if len(w.idle) != maxIdleWorkers {
			t.Errorf("%d idle, want %d", len(w.idle), maxIdleWorkers)
		}
		w.mu.Unlock()
		w.Close()
	})
}

// A frame that arrives byte by byte, and one larger than the buffer.
func TestInboxAcrossReads(t *testing.T) {
	a, b := memnet.PipeSize(1)
	var in inbox
	in.init(b, 1<<17)
	var want [][]byte
	go func() {
		for _, n := range []int{0, 1, 5000, 100_000, 3} {
			a.Write(frameBytes(0x80, 0, 1, randomBytes(n))) //nolint:errcheck // the other end may be gone
		}
		a.Close()
	}()
	for _, n := range []int{0, 1, 5000, 100_000, 3} {
		want = append(want, randomBytes(n))
	}
	for i, w := range want {
		_, payload, err := in.next()
		if err != nil || string(payload) != string(w) {
			t.Fatalf("frame %d: %d bytes, %v; want %d", i, len(payload), err, len(w))
		}
	}
	if _, _, err := in.next(); err == nil {
		t.Error("no end")
	}
}

func submit(w *Workers, t *task) {
	var b batch
	b.add(t)
	w.submit(&b)
}
