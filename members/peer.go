// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// A Peer is the program's way to one instance: its connections. It is the Owner
// of the instance's Endpoints.
type Peer interface {
	// Probe tries whether an instance that was set aside is there again, and
	// returns nil where it is. It is called on a goroutine of its own, and bounds
	// its time itself; ctx ends with [Set.Run].
	Probe(ctx context.Context, e *balancer.Endpoint) error

	// Retire lets go of the instance, which is forgotten: connections are closed
	// once no call is on them. It must not wait for them.
	Retire()
}
