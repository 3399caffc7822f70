// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

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
)

// An echoFunc makes one call and returns the reply, which is used until the next
// call only. It is called by one goroutine. payload is the callee's until it
// returns.
type echoFunc func(payload []byte) (reply []byte, err error)

// loadOptions say what runLoad does.
type loadOptions struct {
	sizeBytes int           // of a payload
	warmup    time.Duration // before the measured window
	duration  time.Duration // of the measured window

	// grace bounds the wait for calls in flight when the window ends; those
	// that are left then are aborted. 0: 10 s.
	grace time.Duration

	// abort makes all calls in flight fail.
	abort func()

	// begin and end are called at the edges of the window; nil: nothing is.
	begin, end func()
}

// A loadResult is what was seen.
type loadResult struct {
	calls   uint64        // that ended within the window, with the right reply
	errors  uint64        // failed calls and wrong replies, of the whole run
	err     error         // one of them
	elapsed time.Duration // the window's length
	latency *latencies    // of calls
}

// The phases of a run.
const (
	warming int32 = iota
	measuring
	stopped
)

// latencyBatch is how many latencies a caller collects before it takes a lock to count
// them. A recorder for each caller would need no lock, and be so large that the
// garbage collector of the process under test ran less often.
const latencyBatch = 64

// maxLoadShards is how many recorders the callers share.
const maxLoadShards = 8

const loadGrace = 10 * time.Second

type loadRun struct {
	opts   loadOptions
	phase  atomic.Int32 // read by all, written twice
	shards []loadShard
	wg     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	errors uint64
	err    error
}

type loadShard struct {
	mu       sync.Mutex // guards recorder
	recorder *latencies
	_        [64]byte // callers of other shards are not disturbed
}

// runLoad makes load with one goroutine for each of callers until the window has
// passed. When ctx ends first it stops and returns ctx's error beside what was
// seen. It returns when all callers have.
func runLoad(ctx context.Context, callers []echoFunc, opts loadOptions) (loadResult, error) {
	if opts.grace == 0 {
		opts.grace = loadGrace
	}
	r := &loadRun{opts: opts, shards: make([]loadShard, min(maxLoadShards, len(callers)))}
	for i := range r.shards {
		r.shards[i].recorder = new(latencies)
	}
	for i, echo := range callers {
		r.wg.Go(func() { r.call(i, len(callers), echo) })
	}
	err := passed(ctx, opts.warmup)
	if opts.begin != nil {
		opts.begin()
	}
	begun := time.Now()
	r.phase.Store(measuring)
	if err == nil {
		err = passed(ctx, opts.duration)
	}
	r.phase.Store(stopped)
	elapsed := time.Since(begun)
	if opts.end != nil {
		opts.end()
	}
	r.await()
	res := loadResult{errors: r.errors, err: r.err, elapsed: elapsed, latency: new(latencies)}
	for i := range r.shards {
		res.latency.merge(r.shards[i].recorder)
	}
	res.calls = res.latency.total()
	return res, err
}

// await returns when all callers have.
func (r *loadRun) await() {
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(r.opts.grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		if r.opts.abort != nil {
			r.opts.abort()
		}
		<-done
	}
}

func passed(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call is the loop of caller i of n. It allocates nothing per call.
func (r *loadRun) call(i, n int, echo echoFunc) {
	payload := newPayload(i, r.opts.sizeBytes)
	pending := make([]time.Duration, 0, latencyBatch)
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
		if r.phase.Load() != measuring {
			continue
		}
		pending = append(pending, elapsed)
		if len(pending) == latencyBatch {
			home.add(pending)
			pending = pending[:0]
		}
	}
	home.add(pending)
}

func (s *loadShard) add(pending []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range pending {
		s.recorder.add(d)
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
		payload[i] = byte(serial >> (8 * i))
	}
}

var errWrongReply = errors.New("wrong reply")

func (r *loadRun) failed(payload, reply []byte, err error) {
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
