// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

// A System is one way to make calls.
type System struct {
	Name    string
	Measure string   // what exactly is measured, for the legend
	Module  string   // whose version is of interest; empty: none
	Lone    bool     // a connection carries one call at a time, by design
	Beside  []string // the systems that it is held against; empty: rollcall alone

	// Serve answers calls on l until ctx ends. It owns l.
	Serve func(ctx context.Context, l net.Listener) error

	// Dial opens one connection.
	Dial func(ctx context.Context, addr string) (Conn, error)
}

// A Conn is one connection.
type Conn interface {
	// Caller returns what one goroutine calls with payloads of that size. It is
	// called before the first call is made.
	Caller(sizeBytes int) load.Echo

	// Close fails the calls in flight.
	Close() error
}

// maxPayload is what every system takes by default.
const maxPayload = 1 << 20

// All returns the systems in the order of the table, the baselines first.
func All() []System {
	return []System{pingPong(), coalesced(), rollcallSystem(), rollcallDoors(), rollcallProtobuf(), netRPC(), grpcSystem(), drpcSystem(), rollcallTLS(), grpcTLS()}
}

// Find returns the systems of that names, in that order.
func Find(names ...string) ([]System, error) {
	var found []System
	for _, name := range names {
		before := len(found)
		var known []string
		for _, s := range All() {
			known = append(known, s.Name)
			if s.Name == name {
				found = append(found, s)
			}
		}
		if len(found) == before {
			return nil, fmt.Errorf("system %q: give some of %s", name, strings.Join(known, ","))
		}
	}
	return found, nil
}
