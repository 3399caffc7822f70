// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	stdlist "container/list"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// Why a connection gives way, or gets no place.
var (
	errTooManySilent = errors.New("too many connections have said nothing yet, and this one for longest")
	errTooMany       = errors.New("too many connections, and this one has been idle for longest")
	errNoPlace       = errors.New("too many connections, and a call is in flight on each")
	errShare         = errors.New("too many connections of one address, and a call is in flight on each")
	errIdle          = errors.New("no call for long")
)

const (
	// restLeast is how long a connection says nothing, or one of a foreign format
	// has nothing in hand, before it gives way to anybody: a newcomer is about to
	// speak, and a reply about to be written.
	restLeast = time.Second

	// idleAtOnce is how many idle connections one search finds, and searchPause how
	// long none is made after one that has found nobody: a search asks every
	// connection, and strangers cause as many as they open connections.
	idleAtOnce  = 64
	searchPause = 100 * time.Millisecond

	// leavingLeast is how many may be on their way out beyond the places; where there
	// are many of those, a share of them.
	leavingLeast = 8
	leavingShare = 16
)

// A guest is a connection that has a place.
type guest struct {
	conn    net.Conn
	entered time.Time
	host    *host
	silent  *stdlist.Element // in places.silent; nil: it is known what it speaks

	rollcall *transport.ServerConn // nil: another protocol's, or not known yet
	requests uint64                // of Rollcall's own, that had come at the last look
	idle     time.Time             // since when no more have come, as far as was looked; zero: not known

	foreign  bool // another protocol's
	protocol string
	use      usage

	shed error // why it was told to go; nil: it was not
}

// A host is an address that has places.
type host struct {
	name            string
	guests          map[*guest]struct{}
	silent, leaving int    // of them
	idle            search // among them
}

// A resting is a guest on which nothing is in flight, and since when.
type resting struct {
	*guest
	since time.Time
}

// A search keeps what the last search for idle connections has found, the longest
// idle first.
type search struct {
	found []resting
	empty time.Time // when it has found nobody; zero: it has
}

// places are the connections that a server has, and who gives way where there are
// too many: nobody who speaks is kept out by those who do not. A stranger may open
// as many connections as he likes, so it is the address with the most silent ones
// that gives one, and no address has more than its share. The connSet's mutex guards
// them.
type places struct {
	most, share, mostSilent int

	guests  map[*guest]struct{}
	hosts   map[string]*host
	silent  stdlist.List // of *guest, the oldest first
	idle    search       // among all
	leaving int          // were told to go, and are still there
}

func newPlaces(most, share, mostSilent int) places {
	return places{most: most, share: share, mostSilent: mostSilent, guests: map[*guest]struct{}{}, hosts: map[string]*host{}}
}

// room returns nil where there is room for a newcomer, else who gives way, and why.
// The error without anybody is the newcomer's.
func (p *places) room(name string, now time.Time) (gives *guest, err error) {
	if h := p.hosts[name]; h != nil && len(h.guests)-h.leaving >= p.share {
		if gives := p.silentOf(h); gives != nil {
			return gives, errTooManySilent
		}
		if gives := h.idle.next(h.guests, now); gives != nil {
			return gives, errTooMany
		}
		return nil, errShare
	}
	switch {
	case p.silent.Len() >= p.mostSilent:
		return p.greediest(name), errTooManySilent
	case len(p.guests)-p.leaving < p.most:
		return nil, nil
	}
	oldest := p.greediest(name)
	if oldest != nil && now.Sub(oldest.entered) >= restLeast {
		return oldest, errTooManySilent
	}
	if idle := p.idle.next(p.guests, now); idle != nil {
		return idle, errTooMany
	}
	if oldest != nil {
		return oldest, errTooManySilent
	}
	return nil, errNoPlace
}

// greediest returns the one that has been silent for longest, of the host that has
// the most such connections; the newcomer counts with his host. Nil: none is silent.
func (p *places) greediest(newcomer string) *guest {
	most := 0
	count := func(h *host) int {
		if h.name == newcomer {
			return h.silent + 1
		}
		return h.silent
	}
	for _, h := range p.hosts {
		if h.silent > 0 {
			most = max(most, count(h))
		}
	}
	for e := p.silent.Front(); e != nil; e = e.Next() {
		if g := e.Value.(*guest); count(g.host) == most { //nolint:forcetypeassert // it holds nothing else
			return g
		}
	}
	return nil
}

// silentOf returns the one of a host that has been silent for longest; nil: none is.
func (p *places) silentOf(h *host) *guest {
	for e := p.silent.Front(); e != nil && h.silent > 0; e = e.Next() {
		if g := e.Value.(*guest); g.host == h { //nolint:forcetypeassert // it holds nothing else
			return g
		}
	}
	return nil
}

// enter gives a place to a connection.
func (p *places) enter(conn net.Conn, name string, now time.Time) *guest {
	h := p.hosts[name]
	if h == nil {
		h = &host{name: name, guests: map[*guest]struct{}{}}
		p.hosts[name] = h
	}
	g := &guest{conn: conn, entered: now, host: h}
	p.guests[g], h.guests[g] = struct{}{}, struct{}{}
	g.silent = p.silent.PushBack(g)
	h.silent++
	return g
}

// dismiss tells a guest to go: it is about to leave its place.
func (p *places) dismiss(g *guest, why error) {
	p.hush(g)
	if g.shed == nil {
		p.leaving++
		g.host.leaving++
	}
	g.shed = why
}

// keep takes that back.
func (p *places) keep(g *guest) {
	g.shed = nil
	p.leaving--
	g.host.leaving--
}

// heard notes that it is known what a connection speaks, or never will be. It reports
// false where the connection was told to go before.
func (p *places) heard(g *guest) bool {
	p.hush(g)
	return g.shed == nil
}

// shed tells up to n to go: those that have been silent for a while, the longest idle,
// and where there is nobody else those that have just come.
func (p *places) shed(n int, now time.Time) (list []*guest) {
	silent := func(least time.Duration) {
		for len(list) < n {
			g := p.greediest("")
			if g == nil || now.Sub(g.entered) < least {
				return
			}
			p.dismiss(g, errTooManySilent)
			list = append(list, g)
		}
	}
	silent(restLeast)
	for _, r := range idlest(p.guests, n-len(list), now) {
		p.dismiss(r.guest, errTooMany)
		list = append(list, r.guest)
	}
	if len(list) == 0 {
		silent(0)
	}
	return list
}

// hush takes a connection from those that are silent.
func (p *places) hush(g *guest) {
	if g.silent != nil {
		p.silent.Remove(g.silent)
		g.silent = nil
		g.host.silent--
	}
}

// leave gives a place back.
func (p *places) leave(g *guest) {
	p.hush(g)
	if g.shed != nil {
		p.leaving--
		g.host.leaving--
	}
	delete(p.guests, g)
	delete(g.host.guests, g)
	if len(g.host.guests) == 0 {
		delete(p.hosts, g.host.name)
	}
}

// crowded reports whether there are too many for their places until some have left
// that were told to go.
func (p *places) crowded() bool {
	return len(p.guests) >= p.most && p.leaving >= max(leavingLeast, p.most/leavingShare)
}

// rests reports whether no call is in flight on a connection that is not silent, and
// since when, as far as is known.
func (g *guest) rests(now time.Time) (since time.Time, ok bool) {
	switch {
	case g.shed != nil:
	case g.rollcall != nil:
		requests, ok := g.rollcall.Resting()
		if !ok || requests != g.requests {
			g.requests, g.idle = requests, time.Time{}
		}
		if ok && g.idle.IsZero() {
			g.idle = now
		}
		return g.idle, ok
	case g.foreign:
		since, ok := g.use.rests()
		since = later(since, g.entered)
		return since, ok && now.Sub(since) >= restLeast
	}
	return now, false
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// idlest returns up to n of the guests on which nothing is in flight, those first on
// which it has been so for longest.
func idlest(guests map[*guest]struct{}, n int, now time.Time) []resting {
	var all []resting
	for g := range guests {
		if since, ok := g.rests(now); ok {
			all = append(all, resting{g, since})
		}
	}
	slices.SortFunc(all, func(a, b resting) int { return a.since.Compare(b.since) })
	return all[:min(n, len(all))]
}

// next returns the longest idle of the guests, as far as the last search knows; nil:
// none is idle.
func (s *search) next(guests map[*guest]struct{}, now time.Time) *guest {
	for {
		if len(s.found) == 0 {
			if !s.empty.IsZero() && now.Sub(s.empty) < searchPause {
				return nil
			}
			s.found, s.empty = idlest(guests, idleAtOnce, now), time.Time{}
			if len(s.found) == 0 {
				s.empty = now
				return nil
			}
		}
		r := s.found[0]
		s.found = s.found[1:]
		if _, there := guests[r.guest]; !there {
			continue
		}
		// Who has spoken since the search may rest again, and others rest longer.
		if since, ok := r.rests(now); ok && since.Equal(r.since) {
			return r.guest
		}
	}
}

// look notes who is idle now, and returns those of Rollcall's own that have been so
// for limit, where that is not negative.
func (p *places) look(now time.Time, limit time.Duration) (over []*guest) {
	for g := range p.guests {
		if g.rollcall == nil {
			continue
		}
		if since, ok := g.rests(now); ok && limit > 0 && now.Sub(since) >= limit {
			over = append(over, g)
		}
	}
	return over
}

// hostOf returns the address of a peer without its port.
func hostOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	if ap, err := netip.ParseAddrPort(addr.String()); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	return addr.String()
}
