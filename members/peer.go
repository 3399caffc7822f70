// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"errors"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// ErrUnprobed is, for errors.Is, an error of [Peer.Probe] that says nothing of the
// instance: the program could not ask it, for want of descriptors for example. The
// next probe comes after a longer pause.
var ErrUnprobed = errors.New("members: the instance could not be probed")

// A Peer is the program's way to one instance: its connections. It is the Owner
// of the instance's Endpoints.
type Peer interface {
	// Probe tries whether an instance that was set aside is there again, and
	// returns nil where it is. An error that is [ErrUnprobed] says nothing of the
	// instance, any other one that it is not there. It is called on a goroutine of its own, and bounds
	// its time itself; ctx ends with [Set.Run].
	Probe(ctx context.Context, e *balancer.Endpoint) error

	// Retire lets go of the instance, which is forgotten: connections are closed
	// once no call is on them. It must not wait for them.
	Retire()
}
