// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
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
	// outlast is how long sessions last whatever a client asks for where servers
	// are restarted. Now and then Apache ZooKeeper 3.8.0 does not read what one
	// of the first connections after its start sends, and the client gives that
	// connection up only after the time that it asked for.
	outlast = 40 * time.Second
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
	serverKinds = []kind{
		{"registry", func(t *testing.T) server { return startRegistry(t, true) }},
		{"apache", func(t *testing.T) server { return realtest.Apache(t) }},
	}
	// durableKinds have their data again after a restart, and sessions outlast it.
	durableKinds = []kind{
		{"registry", func(t *testing.T) server {
			return startRegistry(t, true, "--min-session-timeout", outlast.String(), "--max-session-timeout", outlast.String())
		}},
		{"zktest", func(t *testing.T) server {
			return inProcess{zktest.StartOptions(t, zktest.Options{
				TickTime: tick, MinSessionTimeout: outlast, MaxSessionTimeout: outlast,
			})}
		}},
		{"apache", func(t *testing.T) server {
			ms := outlast.Milliseconds()
			return realtest.Apache(t, fmt.Sprintf("minSessionTimeout=%d\nmaxSessionTimeout=%d", ms, ms))
		}},
	}
)

// inProcess is a zktest server, whose data outlives Stop.
type inProcess struct{ *zktest.Server }

func (s inProcess) Start() { s.Restart() }

// eachServer runs test on the registry and on the yardstick.
func eachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	each(t, serverKinds, test)
}

var apacheTurn sync.Mutex // held by the test that restarts Apache ZooKeeper

// eachDurable runs test on every server that has its data again after a restart.
func eachDurable(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	each(t, durableKinds, func(t *testing.T, s server) {
		if _, ok := s.(*realtest.ZooKeeper); ok {
			// A JVM that starts takes seconds of a processor: one at a time.
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
