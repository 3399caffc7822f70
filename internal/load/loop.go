// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// An Echo makes one call and returns the reply, which is used until the next
// call only. It is called by one goroutine. payload is the callee's until it
// returns.
type Echo func(payload []byte) (reply []byte, err error)

// Options say what [Run] does.
type Options struct {
	SizeBytes int           // of a payload
	Warmup    time.Duration // before the measured window
	Duration  time.Duration // of the measured window

	// Grace bounds the wait for calls in flight when the window ends; those
	// that are left then are aborted. 0: 10 s.
	Grace time.Duration

	// Abort makes all calls in flight fail.
	Abort func()

	// Begin and End are called at the edges of the window; nil: nothing is.
	Begin, End func()
}

// A Result is what was seen.
type Result struct {
	Calls   uint64        // that ended within the window, with the right reply
	Errors  uint64        // failed calls and wrong replies, of the whole run
	Err     error         // one of them
	Elapsed time.Duration // the window's length
	Latency *Recorder     // of Calls
}

// The phases of a run.
const (
	warming int32 = iota
	measuring
	stopped
)

// batch is how many latencies a caller collects before it takes a lock to count
// them. A recorder for each caller would need no lock, and be so large that the
// garbage collector of the process under test ran less often.
const batch = 64

// maxShards is how many recorders the callers share.
const maxShards = 8

const defaultGrace = 10 * time.Second

type run struct {
	opts   Options
	phase  atomic.Int32 // read by all, written twice
	shards []shard
	wg     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	errors uint64
	err    error
}

type shard struct {
	mu       sync.Mutex // guards recorder
	recorder *Recorder
	_        [64]byte // callers of other shards are not disturbed
}

// Run makes load with one goroutine for each of callers until the window has
// passed. When ctx ends first it stops and returns ctx's error beside what was
// seen. It returns when all callers have.
func Run(ctx context.Context, callers []Echo, opts Options) (Result, error) {
	if opts.Grace == 0 {
		opts.Grace = defaultGrace
	}
	r := &run{opts: opts, shards: make([]shard, min(maxShards, len(callers)))}
	for i := range r.shards {
		r.shards[i].recorder = new(Recorder)
	}
	for i, echo := range callers {
		r.wg.Go(func() { r.call(i, len(callers), echo) })
	}
	err := pause.For(ctx, opts.Warmup)
	if opts.Begin != nil {
		opts.Begin()
	}
	begun := time.Now()
	r.phase.Store(measuring)
	if err == nil {
		err = pause.For(ctx, opts.Duration)
	}
	r.phase.Store(stopped)
	// The window ends here, however long End and the last calls take.
	elapsed := time.Since(begun)
	if opts.End != nil {
		opts.End()
	}
	r.await()
	res := Result{Errors: r.errors, Err: r.err, Elapsed: elapsed, Latency: new(Recorder)}
	for i := range r.shards {
		res.Latency.Merge(r.shards[i].recorder)
	}
	res.Calls = res.Latency.Count()
	return res, err
}

// await returns when all callers have.
func (r *run) await() {
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(r.opts.Grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		if r.opts.Abort != nil {
			r.opts.Abort()
		}
		<-done
	}
}

// call is the loop of caller i of n. It allocates nothing per call.
func (r *run) call(i, n int, echo Echo) {
	payload := newPayload(i, r.opts.SizeBytes)
	latencies := make([]time.Duration, 0, batch)
	home := &r.shards[i%len(r.shards)]
	for serial := uint64(i); r.phase.Load() != stopped; serial += uint64(n) { //nolint:gosec // positive
		stamp(payload, serial)
		begun := time.Now()
		reply, err := echo(payload)
		elapsed := time.Since(begun)
		if err != nil || !bytes.Equal(reply, payload) {
			r.failed(payload, reply, err)
			continue
		}
		// Counted where it ends: what the warm-up lends to the window is what the
		// window leaves behind.
		if r.phase.Load() != measuring {
			continue
		}
		// In batches: a lock taken for each call would be measured too.
		latencies = append(latencies, elapsed)
		if len(latencies) == batch {
			home.add(latencies)
			latencies = latencies[:0]
		}
	}
	home.add(latencies)
}

func (s *shard) add(latencies []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range latencies {
		s.recorder.Add(d)
	}
}

// newPayload returns bytes that no other caller's payload has.
func newPayload(caller, size int) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(caller)) //nolint:gosec // positive
	payload := make([]byte, size)
	rand.NewChaCha8(seed).Read(payload) //nolint:errcheck // it never fails
	return payload
}

// stamp makes the payload one that was never sent before, as far as it has room.
func stamp(payload []byte, serial uint64) {
	if len(payload) >= 8 {
		binary.LittleEndian.PutUint64(payload, serial)
		return
	}
	for i := range payload {
		payload[i] = byte(serial >> (8 * i)) //nolint:gosec // the lowest byte
	}
}

var errWrongReply = errors.New("wrong reply")

func (r *run) failed(payload, reply []byte, err error) {
	if err == nil {
		err = mismatch(payload, reply)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors++
	if r.err == nil {
		r.err = err
	}
}

func mismatch(payload, reply []byte) error {
	if len(reply) != len(payload) {
		return fmt.Errorf("%w: %d bytes for %d", errWrongReply, len(reply), len(payload))
	}
	at := 0
	for reply[at] == payload[at] {
		at++
	}
	return fmt.Errorf("%w: byte %d of %d is %#x, want %#x", errWrongReply, at, len(payload), reply[at], payload[at])
}
