// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// A membership keeps a server in the list of its service, as long as that is
// wanted.
type membership struct {
	server  *Server
	opts    *ServerOptions   // the server's
	target  discovery.Target // that Registry names; zero: none
	decided chan struct{}    // closed when it is clear whether the server is registered
	decide  func()           // closes it, once

	session   *zookeeper.Session  // Serve's; nil where the registrar was passed in
	registrar discovery.Registrar // set by join; nil: the server does not register
	instance  discovery.Instance

	mu           sync.Mutex             // guards what follows
	unwanted     bool                   // the server is set not to serve
	joined       bool                   // join was called and leave was not
	registration discovery.Registration // the last one; nil: there is none
	unwatch      func()                 // ends watch and waits for it; nil: there is none
}

// newMembership returns one that has not joined. Its error is that of the target.
func newMembership(s *Server) (*membership, error) {
	opts := &s.opts
	m := &membership{server: s, opts: opts, decided: make(chan struct{})}
	m.decide = sync.OnceFunc(func() { close(m.decided) })
	if opts.Registry == "" {
		return m, nil
	}
	var err error
	m.target, err = discovery.ParseTarget(opts.Registry)
	switch {
	case err != nil:
		return m, fmt.Errorf("rollcall: ServerOptions.Registry: %w", err)
	case m.target.Scheme != discovery.SchemeZooKeeper:
		return m, fmt.Errorf("rollcall: ServerOptions.Registry: %q: a server registers with zk://host:port/path", opts.Registry)
	}
	return m, nil
}

// describe describes the server for the list.
func (m *membership) describe(ctx context.Context, listener net.Addr) (discovery.Instance, error) {
	in := discovery.Instance{
		ID:        m.opts.ID,
		Protocols: []string{ProtocolName},
		TLS:       m.opts.TLS != nil,
		Weight:    m.opts.Weight,
		Zone:      m.opts.Zone,
		Version:   m.opts.Version,
		Metadata:  m.opts.Metadata,
	}
	for _, p := range m.opts.Protocols {
		in.Protocols = append(in.Protocols, p.Name)
	}
	switch {
	case in.Weight == 0:
		in.Weight = discovery.DefaultWeight
	case in.Weight < 0:
		in.Weight = 0
	}
	if m.opts.Registry == "" && m.opts.Registrar == nil {
		return in, nil
	}
	host, port, reason, err := advertise(ctx, m.opts.Advertise, listener, m.target.Hosts)
	if err != nil {
		return in, err
	}
	in.Host, in.Port = host, port
	if in.ID == "" {
		sum := sha256.Sum256([]byte(m.target.Path + "\x00" + in.Addr()))
		in.ID = hex.EncodeToString(sum[:8])
	}
	m.opts.Logger.Info("advertised address chosen", "address", in.Addr(), "reason", reason, "instance_id", in.ID)
	return in, nil
}

// join begins to keep the instance in the list.
func (m *membership) join(in discovery.Instance) error {
	defer m.decide()
	m.registrar, m.instance = m.opts.Registrar, in
	if m.registrar == nil && m.opts.Registry != "" {
		opts := m.opts.ZooKeeper
		if opts.Logger == nil {
			opts.Logger = m.opts.Logger
		}
		var err error
		if m.session, err = zookeeper.OpenTarget(m.target, opts); err != nil {
			return err
		}
		m.registrar = m.session.Registrar(m.target.Path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.joined = true
	return m.enter()
}

// set makes the server one that is to be in the list, or not. It does not wait for
// the registry.
func (m *membership) set(wanted bool) error {
	m.mu.Lock()
	m.unwanted = !wanted
	if wanted {
		defer m.mu.Unlock()
		return m.enter()
	}
	exit := m.exit()
	m.mu.Unlock()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	exit(ended) //nolint:errcheck // it goes on in the background
	return nil
}

// wanted tells what set said last.
func (m *membership) wanted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.unwanted
}

// enter registers, where that is wanted and was not done. m.mu is held.
func (m *membership) enter() error {
	if !m.joined || m.unwanted || m.registrar == nil || m.unwatch != nil {
		return nil
	}
	registration, err := m.registrar.Register(m.instance)
	if err != nil {
		return err
	}
	m.registration = registration
	ctx, cancel := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() { m.watch(ctx, registration) })
	m.unwatch = func() {
		cancel()
		watcher.Wait()
	}
	return nil
}

// exit returns what takes the entry out of the list. That returns when it is
// confirmed or its ctx has ended; call it once, without m.mu. m.mu is held.
func (m *membership) exit() func(ctx context.Context) error {
	registration, unwatch := m.registration, m.unwatch
	m.unwatch = nil
	return func(ctx context.Context) error {
		if registration == nil {
			return nil
		}
		if unwatch == nil { // it was taken out before
			return registration.Deregister(ctx)
		}
		unwatch()
		status := registration.Status()
		err := registration.Deregister(ctx)
		tell(m.server, m.opts.Events.Registration, RegistrationInfo{
			Phase: RegistrationLeft, Entry: status.Name, Elapsed: time.Since(status.Since), Err: err,
		})
		return err
	}
}

// entry returns the registration; nil: there is none.
func (m *membership) entry() discovery.Registration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registration
}

// leave takes the server out of the list for good; it returns when that is
// confirmed or ctx has ended.
func (m *membership) leave(ctx context.Context) error {
	m.mu.Lock()
	m.joined = false
	exit := m.exit()
	m.mu.Unlock()
	return exit(ctx)
}

// close gives the entry up without waiting for the registry, and the session
// back.
func (m *membership) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	m.leave(ended) //nolint:errcheck // the session's end removes the entry
	if m.session != nil {
		m.session.Close() // likewise
	}
}

// listed waits until the entry is there and returns its name.
func (m *membership) listed(ctx context.Context) (name string, err error) {
	select {
	case <-m.decided:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	registration := m.entry()
	if registration == nil {
		return "", discovery.ErrDeregistered
	}
	return registration.Ready(ctx)
}

// watch tells what becomes of an entry until ctx ends.
func (m *membership) watch(ctx context.Context, r discovery.Registration) {
	told := listing{since: time.Now()}
	for {
		changed, status, now := r.Changed(), r.Status(), time.Now()
		for _, info := range told.look(&status, now) {
			told.log(m.opts.Logger, m.opts.Registry, &info)
			tell(m.server, m.opts.Events.Registration, info)
		}
		due, wait := told.warning(&status, now)
		if due {
			told.warn(m.opts.Logger, m.opts.Registry, &status, now)
		}
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}
