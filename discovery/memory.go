// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a registry inside the process, for tests and for programs that
// find their servers in a way of their own. The zero value is an empty list.
type Memory struct {
	mu        sync.Mutex // guards what follows
	instances []Instance // never changed in place: watchers share it
	next      int64
	changed   chan struct{} // closed at the next change
}

// Register implements [Registrar]. The entry is there when Register returns.
func (m *Memory) Register(in Instance) (Registration, error) {
	if in.Host == "" {
		return nil, fmt.Errorf("discovery: instance: host %q: give a name or an address", in.Host)
	}
	if in.Port < 1 || in.Port > 65535 {
		return nil, fmt.Errorf("discovery: instance: port %d: a port is a number from 1 to 65535", in.Port)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Revision = m.next + 1
	in.Name = fmt.Sprintf("server%010d", m.next)
	m.next++
	m.replace(append(slices.Clip(m.instances), in))
	return &memoryRegistration{memory: m, name: in.Name, since: time.Now()}, nil
}

// Set replaces the whole list.
func (m *Memory) Set(instances []Instance) {
	list := slices.Clone(instances)
	slices.SortStableFunc(list, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replace(list)
}

// replace publishes a new list. m.mu is held.
func (m *Memory) replace(list []Instance) {
	m.instances = list
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// read returns the list and what will be closed at its next change.
func (m *Memory) read() ([]Instance, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.instances, m.changed
}

// Watch implements [Resolver].
func (m *Memory) Watch(ctx context.Context, deliver func(Update)) error {
	for {
		list, changed := m.read()
		deliver(Update{Instances: list, Source: SourceLive, Confirmed: time.Now()})
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type memoryRegistration struct {
	memory *Memory
	name   string

	mu    sync.Mutex // guards what follows
	gone  bool
	since time.Time
}

func (r *memoryRegistration) Ready(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return "", ErrDeregistered
	}
	return r.name, nil
}

func (r *memoryRegistration) Status() RegistrationStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return RegistrationStatus{Since: r.since, Err: ErrDeregistered}
	}
	return RegistrationStatus{Registered: true, Name: r.name, Since: r.since}
}

func (r *memoryRegistration) Deregister(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil
	}
	r.gone, r.since = true, time.Now()
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.replace(slices.DeleteFunc(slices.Clone(r.memory.instances), func(in Instance) bool { return in.Name == r.name }))
	return nil
}
