// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
)

// A registrar is a Registrar of one directory.
type registrar struct {
	session *Session
	path    string
}

// Register implements [discovery.Registrar].
func (r *registrar) Register(in discovery.Instance) (discovery.Registration, error) {
	path, err := cleanPath(r.path)
	if err != nil {
		return nil, err
	}
	data, err := layout.Encode(in)
	if err != nil {
		return nil, fmt.Errorf("zookeeper: register: %w", err)
	}
	in.Protocols, in.Metadata = slices.Clone(in.Protocols), maps.Clone(in.Metadata)
	g := newRegistration(r.session, path, in, data)

	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, ErrClosed
	}
	// s is open, so its shared session is too.
	s.registrations[g] = struct{}{}
	s.shared.work.Go(func() {
		g.run(s.shared.ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.registrations, g)
	})
	return g, nil
}
