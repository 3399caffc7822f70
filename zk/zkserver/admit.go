// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"log/slog"
	"net"
	"net/netip"
)

// admit serves a new connection on goroutines of its own. Where there are too
// many, it takes the place of the one that has been silent for longest, or is
// closed if none is silent: clients speak at once, so a flood of connections that
// do not keeps nobody out.
func (s *Server) admit(sv *serve, nc net.Conn) {
	c := &conn{
		srv: s, nc: nc, hooks: sv.hooks, host: hostOf(nc.RemoteAddr()), since: s.opts.Clock.Now().UnixMilli(),
		data: map[string]*watch{}, child: map[string]*watch{}, drained: make(chan struct{}),
	}
	c.out.init(nc, s.opts.MaxUnreadBytes, &s.held)
	c.in = newFrameReader(nc, maxHandshake)
	c.who.Store(s.firstIdentities(c.host))
	s.mu.Lock()
	limit, gives := s.placeFor(c.host)
	if limit != "" {
		s.stats.rejected.Add(1)
	}
	if sv.stopping || limit != "" && gives == nil {
		s.mu.Unlock()
		nc.Close()
		s.warnOfLimit(limit, c)
		return
	}
	s.conns[c] = sv
	s.hosts[c.host]++
	c.silent = s.silent.PushBack(c)
	sv.conns.Add(1)
	s.mu.Unlock()
	if gives != nil {
		gives.out.kill()
		s.warnOfLimit(limit, gives)
	}
	go func() {
		defer sv.conns.Done()
		c.serve()
	}()
}

// placeFor returns the limit that one more connection would break, if any, and
// the silent connection that can be closed for it, if there is one. Called with mu
// held.
func (s *Server) placeFor(host string) (limit string, gives *conn) {
	ofHost := false
	switch {
	case s.hosts[host] >= s.opts.MaxConnectionsPerHost:
		limit, ofHost = "MaxConnectionsPerHost", true
	case len(s.conns) >= s.opts.MaxConnections:
		limit = "MaxConnections"
	case s.silent.Len() >= s.opts.MaxPendingConnections:
		limit = "MaxPendingConnections"
	default:
		return "", nil
	}
	for e := s.silent.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); !ofHost || c.host == host {
			s.hush(c)
			return limit, c
		}
	}
	return limit, nil
}

// hush takes a connection from the list of the silent ones. Called with mu held.
func (s *Server) hush(c *conn) {
	if c.silent != nil {
		s.silent.Remove(c.silent)
		c.silent = nil
	}
}

// heard notes that a connection's first request is complete, or will not come.
func (s *Server) heard(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hush(c)
}

// warnOfLimit says that a connection is closed for a limit.
func (s *Server) warnOfLimit(limit string, c *conn) {
	if limit == "" {
		return
	}
	s.refused(c, RefusedInfo{Reason: RefusedLimit, Limit: limit})
	s.log.Warn("a limit is reached, closing a connection; there may be more of them",
		slog.String("limit", limit), slog.String("address", addressOf(c.nc.RemoteAddr())))
}

// leave takes the connection out of everything that knows it.
func (c *conn) leave() {
	s := c.srv
	s.pub.RLock()
	s.watches.forget(c)
	s.pub.RUnlock()
	if c.greedy {
		s.warnOfLimit("MaxWatchBytes", c)
	}
	if c.out.hasOverrun() {
		s.refused(c, RefusedInfo{Reason: RefusedLimit, Limit: "MaxUnreadBytes"})
	}
	if c.session != nil {
		c.session.conn.CompareAndSwap(c, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.session != nil && c.session.latest == c {
		c.session.latest = nil
	}
	delete(s.conns, c)
	if s.hosts[c.host]--; s.hosts[c.host] == 0 {
		delete(s.hosts, c.host)
	}
}

func hostOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	if ap, err := netip.ParseAddrPort(addr.String()); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	return addr.String()
}
