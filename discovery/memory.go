// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a registry inside the process, for tests and for programs that
// find their servers in a way of their own. The zero value is an empty list.
type Memory struct {
	mu        sync.Mutex    // guards what follows
	instances []Instance    // sorted; never changed in place
	youngest  []Instance    // without elder twins; never changed in place: watchers share it
	next      int64         // the number of the next entry
	revision  int64         // the greatest so far
	changed   chan struct{} // closed at the next change
}

// Register implements [Registrar]. The entry is there when Register returns.
func (m *Memory) Register(in Instance) (Registration, error) {
	if err := in.Check(); err != nil {
		return nil, fmt.Errorf("discovery: register: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Name = fmt.Sprintf("server%010d", m.next)
	m.next++
	m.revision++
	in.Revision = m.revision
	m.replace(append(slices.Clip(m.instances), in))
	return &memoryRegistration{memory: m, name: in.Name, since: time.Now()}, nil
}

// Set replaces the whole list, what was registered included.
func (m *Memory) Set(instances []Instance) {
	list := slices.Clone(instances)
	slices.SortStableFunc(list, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(list) > 0 {
		m.revision = max(m.revision, list[len(list)-1].Revision)
	}
	m.replace(list)
}

// replace publishes a new list. m.mu is held.
func (m *Memory) replace(list []Instance) {
	m.instances, m.youngest = list, youngest(list)
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
	return m.youngest, m.changed
}

// youngest drops every entry that has a twin behind it: one with the same ID.
func youngest(list []Instance) []Instance {
	last := make(map[string]int, len(list))
	for i := range list {
		last[list[i].ID] = i
	}
	kept := make([]Instance, 0, len(list))
	for i := range list {
		if list[i].ID == "" || last[list[i].ID] == i {
			kept = append(kept, list[i])
		}
	}
	return kept
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

// errReplaced is why an entry is not there that nobody has deregistered.
var errReplaced = errors.New("discovery: the list was replaced by Memory.Set")

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
	if !r.listed() {
		return RegistrationStatus{Since: r.since, Err: errReplaced}
	}
	return RegistrationStatus{Registered: true, Name: r.name, Since: r.since}
}

// Changed is closed by every change of the list.
func (r *memoryRegistration) Changed() <-chan struct{} {
	_, changed := r.memory.read()
	return changed
}

// listed tells whether Set has left the entry where it was.
func (r *memoryRegistration) listed() bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return slices.ContainsFunc(r.memory.instances, func(in Instance) bool { return in.Name == r.name })
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
