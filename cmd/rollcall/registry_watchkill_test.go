// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
)

// killAmid is how many of the nodes the client knows of at most when the registry is
// killed: so early, others are on their way.
const killAmid = 100

// awaited are nodes that a client watches for, none of which exists.
type awaited struct {
	client *zk.Client
	events map[string]<-chan zk.Event // by path
}

// awaitNodes watches for so many nodes that their paths take more than one
// setWatches.
func awaitNodes(ctx context.Context, t *testing.T, client *zk.Client, round int) *awaited {
	t.Helper()
	const nodes, padding = 950, 300
	a := &awaited{client: client, events: map[string]<-chan zk.Event{}}
	for i := range nodes {
		path := fmt.Sprintf("/%s-%d-%d", strings.Repeat("x", padding), round, i)
		_, there, events, err := client.ExistsW(ctx, path)
		if err != nil || there {
			t.Fatalf("%s: got %t, %v, want no node", path, there, err)
		}
		a.events[path] = events
	}
	return a
}

// create makes the nodes, all at a time, each again until it is there, and closes
// enough once that many are.
func (a *awaited) create(ctx context.Context, many int64, enough chan<- struct{}) error {
	var (
		creators sync.WaitGroup
		made     atomic.Int64
		failed   = make(chan error, len(a.events))
	)
	for path := range a.events {
		creators.Go(func() {
			for {
				_, err := a.client.Create(ctx, path, nil, zk.ModePersistent, zk.WorldAnyone())
				switch {
				case err == nil || errors.Is(err, zk.ErrNodeExists): // of the answer that was lost
					if made.Add(1) == many {
						close(enough)
					}
					return
				case ctx.Err() != nil || !errors.Is(err, zk.ErrConnectionLoss):
					failed <- fmt.Errorf("%s: %w", path, err)
					return
				}
			}
		})
	}
	creators.Wait()
	close(failed)
	return <-failed
}

// told demands that each node is told of once, as created, and returns how many of
// them are caught up with, which have no zxid.
func (a *awaited) told(ctx context.Context) (caughtUp int, err error) {
	told := 0
	for path, events := range a.events {
		select {
		case e := <-events:
			if e.Type != zk.NodeCreated || e.Path != path {
				return 0, fmt.Errorf("%s: got %+v, want NodeCreated", path, e)
			}
			if e, again := <-events; again {
				return 0, fmt.Errorf("%s: got %+v too, want one event", path, e)
			}
			if told++; e.Zxid == -1 {
				caughtUp++
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d told, the next is %s", told, len(a.events), path)
		}
	}
	return caughtUp, nil
}

// A registry that is killed while it makes nodes that are watched for tells the
// client of each of them exactly once, before or when it is back: one that had been
// made and not been told yet is caught up with.
func TestRegistryKilledWithWatches(t *testing.T) {
	rounds, rng := max(1, realtest.CrashRounds(t)/3), rand.New(rand.NewPCG(realtest.CrashSeed(t), 0))
	dir := filepath.Join(t.TempDir(), "data")
	registry := startRegistry(t, dir, "127.0.0.1:0")
	client, err := zk.New([]string{registry.addr}, zk.Options{SessionTimeout: killSession})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() }) // the registry may be gone
	caughtUp := 0
	for round := range rounds {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		a := awaitNodes(ctx, t, client, round)
		many, enough, made := 1+rng.Int64N(killAmid), make(chan struct{}), make(chan error, 1)
		go func() { made <- a.create(ctx, many, enough) }()
		select {
		case <-enough:
		case <-ctx.Done():
			t.Fatalf("round %d: less than %d of %d made: %v", round, many, len(a.events), <-made)
		}
		registry.kill()
		registry = startRegistry(t, dir, registry.addr)
		if err := <-made; err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		n, err := a.told(ctx)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		caughtUp += n
		cancel()
	}
	if got := client.Session().Generation; got != 1 {
		t.Errorf("got %d sessions, want the first one over all lives of the registry", got)
	}
	t.Logf("%d rounds, %d nodes caught up with", rounds, caughtUp)
}
