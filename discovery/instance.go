// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"net"
	"slices"
	"strconv"
	"time"
)

// The weight of an instance.
const (
	DefaultWeight = 100
	MaxWeight     = 10000
)

// An Instance is one server of a service, as it is written in the registry.
type Instance struct {
	// Name is the instance's entry in its list, "server0000000003" in
	// ZooKeeper and "host:port" in a static target. An entry is written once,
	// so a name stands for its content.
	Name string

	// ID is stable over restarts of the server; empty when it is not known, as
	// with static targets and the Python programs. Servers refuse callers that
	// mean another ID.
	ID string

	Host string // name or address, without brackets
	Port int    // 1 to 65535

	// Protocols are the protocols the server speaks on its port, best first.
	// Empty: not told; only clients with a default protocol call it.
	Protocols []string

	// TLS: the server serves TLS on its port, for every protocol that it speaks
	// there. False also where it is not told: an entry without the key, a static
	// target.
	TLS bool

	// Weight is the server's share of the calls relative to others, 0 to
	// MaxWeight; 0: listed, never picked. It is the server's own statement
	// unless Override has another.
	Weight int

	Zone     string
	Version  string
	Metadata map[string]string

	// Override is what operators have ordered for the instance, and is not part
	// of its entry; nil: nothing.
	Override *Override

	// Revision orders the entries of one registry by age: ZooKeeper's czxid.
	// 0 where the source has no such order.
	Revision int64

	// Owner is who keeps the entry alive: the id of the ZooKeeper session.
	Owner int64

	// Registered is when the entry appeared, on the registry's clock; zero
	// when it is not known. Never compare it with a local clock.
	Registered time.Time
}

// Addr returns "host:port", with brackets where the host is an IPv6 address.
func (in *Instance) Addr() string { return net.JoinHostPort(in.Host, strconv.Itoa(in.Port)) }

// Speaks reports whether the instance lists the protocol.
func (in *Instance) Speaks(protocol string) bool { return slices.Contains(in.Protocols, protocol) }
