// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

const (
	// patience bounds every wait for something that must happen.
	patience = 60 * time.Second
	// tick makes sessions of 1 to 10 s, as realtest's are.
	tick = 500 * time.Millisecond
)

// A server is a ZooKeeper server under test.
type server interface {
	Addr() string // stays the same
	Stop()        // ends every connection and closes the port
	Start()       // again, on the same port
}

// A kind is a way to run a server.
type kind struct {
	name  string
	start func(t *testing.T) server
}

var (
	registryKind = kind{"registry", func(t *testing.T) server { return startRegistry(t, true) }}
	zktestKind   = kind{"zktest", func(t *testing.T) server {
		return inProcess{zktest.StartOptions(t, zktest.Options{TickTime: tick})}
	}}
	apacheKind = kind{"apache", func(t *testing.T) server { return realtest.Apache(t) }}
)

// inProcess is a zktest server, whose data outlives Stop.
type inProcess struct{ *zktest.Server }

func (s inProcess) Start() { s.Restart() }

// eachServer runs test on the registry and on the yardstick.
func eachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	each(t, []kind{registryKind, apacheKind}, test)
}

var apacheTurn sync.Mutex // held by the test that restarts Apache ZooKeeper

// eachDurable runs test on every server that has its data again after a restart.
func eachDurable(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	each(t, []kind{registryKind, zktestKind, apacheKind}, func(t *testing.T, s server) {
		if _, ok := s.(*realtest.ZooKeeper); ok {
			// A JVM that starts takes seconds of both a processor and the
			// sessions: two at a time would let sessions expire on slow machines.
			apacheTurn.Lock()
			defer apacheTurn.Unlock()
		}
		test(t, s)
	})
}

func each(t *testing.T, kinds []kind, test func(t *testing.T, s server)) {
	t.Helper()
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k.start(t))
		})
	}
}

// receive takes the next value of c.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("%s: there is no more to come", what)
		}
		return v
	case <-limit.C:
		t.Fatalf("%s: nothing within %v", what, patience)
	}
	panic("unreachable")
}
