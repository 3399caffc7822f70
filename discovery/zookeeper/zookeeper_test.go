// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"testing"
)

func TestRegisterAndResolve(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr())
		sp := spectate(t, s, "/a/rpc")
		sp.live()
		r := register(t, s, "/a/rpc", instance(8001))
		if got, want := ready(t, r), "server0000000000"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		sp.live(8001)
		q := register(t, s, "/a/rpc", instance(8002))
		u := sp.live(8001, 8002)
		in := u.Instances[1]
		if in.Name != ready(t, q) || in.Owner != s.Status().ID || in.Revision == 0 || in.Registered.IsZero() || in.ID != "id8002" {
			t.Errorf("got %+v", in)
		}
		if err := r.Deregister(within(t)); err != nil {
			t.Fatal(err)
		}
		sp.live(8002)
		if err := r.Deregister(within(t)); err != nil {
			t.Fatal(err)
		}
	})
}
