// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// A membership is a server's entry in the list of its service and what keeps it
// there.
type membership struct {
	opts    *ServerOptions
	target  discovery.Target // that Registry names; zero: none
	decided chan struct{}    // closed when registration is set, or will never be
	decide  func()           // closes it, once

	session *zookeeper.Session // Serve's; nil where the registrar was passed in

	mu           sync.Mutex             // guards what follows
	registration discovery.Registration // nil: not registered
}

// newMembership returns one that has not joined. Its error is that of the target.
func newMembership(opts *ServerOptions) (*membership, error) {
	m := &membership{opts: opts, decided: make(chan struct{})}
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

// instance describes the server for the list.
func (m *membership) instance(ctx context.Context, listener net.Addr) (discovery.Instance, error) {
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
	registrar := m.opts.Registrar
	if registrar == nil && m.opts.Registry != "" {
		var err error
		m.session, err = zookeeper.Open(m.target.Hosts, zookeeper.Options{
			SessionTimeout: m.opts.SessionTimeout,
			Auths:          m.opts.Auths,
			Logger:         m.opts.Logger,
		})
		if err != nil {
			return err
		}
		registrar = m.session.Registrar(m.target.Path)
	}
	if registrar == nil {
		return nil
	}
	registration, err := registrar.Register(in)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.registration = registration
	return nil
}

// entry returns the registration; nil: there is none.
func (m *membership) entry() discovery.Registration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registration
}

// leave takes the entry out of the list; it returns when that is confirmed or
// ctx has ended.
func (m *membership) leave(ctx context.Context) error {
	registration := m.entry()
	if registration == nil {
		return nil
	}
	return registration.Deregister(ctx)
}

// close gives the entry up without waiting for the registry, and the session
// back.
func (m *membership) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	m.leave(ended) //nolint:errcheck // the session's end removes the entry
	if m.session != nil {
		m.session.Close() //nolint:errcheck // likewise
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

// notListedAfter is how long a server that is not in the list is no news.
const notListedAfter = time.Second

// tellNotListed tells once that the server waits for its registry, and why. It
// returns when the server is listed or ctx ends.
func (m *membership) tellNotListed(ctx context.Context) {
	registration := m.entry()
	if registration == nil {
		return
	}
	soon, cancel := context.WithTimeout(ctx, notListedAfter)
	defer cancel()
	if _, err := registration.Ready(soon); err == nil || ctx.Err() != nil || errors.Is(err, discovery.ErrDeregistered) {
		return
	}
	m.opts.Logger.Warn("not in the list yet: serving, and waiting for the registry", "registry", m.opts.Registry, "error", registration.Status().Err)
}
