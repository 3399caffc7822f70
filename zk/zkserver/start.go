// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// A Running is a [Server] that serves one address, until its Close. [Start] makes
// one.
type Running struct {
	*Server
	addr  *net.TCPAddr
	ended chan struct{} // closed when nothing is served any more
}

// Start makes a server that serves a TCP address, "host:port", in the background; a
// port of 0 is a free one. It is for programs that have a registry of their own:
// examples, demonstrations, tests, a service on one machine.
//
//	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{})
//	…
//	defer registry.Close()
//	client, err := rollcall.NewClient(registry.Target("/rpc"), rollcall.ClientOptions{})
//
// The errors are those of [New] and of listening. What ends the serving before Close
// is logged.
func Start(address string, opts Options) (*Running, error) {
	s, err := New(opts)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zkserver: listen: %w", err), s.Close())
	}
	r := &Running{Server: s, addr: l.Addr().(*net.TCPAddr), ended: make(chan struct{})} //nolint:forcetypeassert // "tcp" has no other
	go func() {
		defer close(r.ended)
		if err := s.Serve(context.Background(), l); !errors.Is(err, ErrServerClosed) {
			s.opts.Logger.Error("the registry does not serve any more", "address", r.Addr(), "error", err)
		}
	}()
	return r, nil
}

// Addr returns the address that is served, "127.0.0.1:2181".
func (r *Running) Addr() string { return r.addr.String() }

// Target returns the target of a path, which begins with a slash, for the clients
// and servers of this machine: "zk://127.0.0.1:2181/rpc". Where every address of the
// machine is served, it is the loopback address of the same kind.
func (r *Running) Target(path string) string {
	addr := *r.addr
	switch {
	case !addr.IP.IsUnspecified():
	case addr.IP.To4() != nil:
		addr.IP = net.IPv4(127, 0, 0, 1)
	default:
		addr.IP = net.IPv6loopback
	}
	return "zk://" + addr.String() + path
}

// Close is [Server.Close]; the address is free when it returns. It may be called
// more than once, from any goroutine.
func (r *Running) Close() error {
	err := r.Server.Close()
	<-r.ended
	return err
}
