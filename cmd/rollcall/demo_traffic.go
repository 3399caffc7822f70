// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall"
)

const (
	callEvery = 5 * time.Millisecond
	// callTimeout makes a failure of a call that would never end.
	callTimeout = 5 * time.Second
)

// A tally counts calls.
type tally struct {
	calls, failed int
	by            map[string]int // answered, by the server's address
}

// minus returns what was counted since an earlier tally.
func (t tally) minus(earlier tally) tally {
	diff := tally{calls: t.calls - earlier.calls, failed: t.failed - earlier.failed, by: map[string]int{}}
	for addr, n := range t.by {
		diff.by[addr] = n - earlier.by[addr]
	}
	return diff
}

// traffic is one caller that calls all the time.
type traffic struct {
	client *rollcall.Client
	failed func(err error) // told of each call that failed

	mu      sync.Mutex // guards what follows
	total   tally
	first   map[string]time.Time // of the first answer, by address
	changed chan struct{}        // closed when first changes
}

func newTraffic(client *rollcall.Client, failed func(error)) *traffic {
	return &traffic{
		client: client, failed: failed, total: tally{by: map[string]int{}},
		first: map[string]time.Time{}, changed: make(chan struct{}),
	}
}

// run calls until ctx ends. The last call is not cut off: it could not be
// counted.
func (t *traffic) run(ctx context.Context) {
	ticker := time.NewTicker(callEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.call(context.WithoutCancel(ctx))
		case <-ctx.Done():
			return
		}
	}
}

func (t *traffic) call(ctx context.Context) {
	three := int32(3)
	var report rollcall.Report
	q, err := divideMethod.CallWith(ctx, t.client, &fraction{Num1: 6, Num2: &three}, rollcall.CallOptions{
		Timeout: callTimeout, Report: &report,
	})
	if err == nil && q.Value != 2 {
		err = fmt.Errorf("%s answered that 6/3 is %v", report.Answered.Addr(), q.Value)
	}
	t.count(report.Answered.Addr(), err)
	if err != nil {
		t.failed(err)
	}
}

func (t *traffic) count(addr string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.calls++
	if err != nil {
		t.total.failed++
		return
	}
	t.total.by[addr]++
	if t.total.by[addr] == 1 {
		t.first[addr] = time.Now()
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

// tally returns what was counted so far.
func (t *traffic) tally() tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	total := t.total
	total.by = maps.Clone(total.by)
	return total
}

// firstAnswer waits for the first answer of a server and returns when it came.
func (t *traffic) firstAnswer(ctx context.Context, addr string) (time.Time, error) {
	for {
		t.mu.Lock()
		at, ok := t.first[addr]
		changed := t.changed
		t.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}

// answers tells who answered how many calls of a tally, in the order of the
// ports. Whoever answered once has a column from then on.
func (t tally) answers() string {
	var b strings.Builder
	addrs := slices.SortedFunc(maps.Keys(t.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // one host: by number
	})
	for _, addr := range addrs {
		fmt.Fprintf(&b, "%s %4d   ", portOf(addr), t.by[addr])
	}
	fmt.Fprintf(&b, "failed %d", t.failed)
	return b.String()
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}
