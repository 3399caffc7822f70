// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	stdlist "container/list"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A guest is a connection that has a place.
type guest struct {
	conn     net.Conn
	host     string
	rollcall *transport.ServerConn // nil: another protocol's, or not known yet
	silent   *stdlist.Element      // in places.silent; nil: its protocol is known

	requests uint64    // that had come at the last look
	idle     time.Time // when a look has found first that no more have come; zero: never
	shed     error     // why it was told to go; nil: it was not
}

// places are the connections that a server has, and who gives way where there are
// too many: nobody who speaks is kept out by those who do not. A stranger may open
// as many connections as he likes, so it is the address with the most that gives
// one. The connSet's mutex guards them.
type places struct {
	most, mostSilent int
	guests           map[*guest]struct{}
	silent           stdlist.List   // of *guest, the oldest first
	silentOf         map[string]int // by host
}

func newPlaces(most, mostSilent int) places {
	return places{most: most, mostSilent: mostSilent, guests: map[*guest]struct{}{}, silentOf: map[string]int{}}
}

// room returns nil where there is room for a newcomer, else who gives way, and why.
// The error without anybody is the newcomer's.
func (p *places) room(host string) (gives *guest, err error) {
	switch {
	case p.silent.Len() >= p.mostSilent:
		return p.greediest(host), errTooManySilent
	case len(p.guests) < p.most:
		return nil, nil
	case p.silent.Len() > 0:
		return p.greediest(host), errTooManySilent
	}
	if idle := p.idlest(1); len(idle) > 0 {
		return idle[0], errTooMany
	}
	return nil, errNoPlace
}

// greediest returns the one that has been silent for longest, of the host that has
// the most such connections; the newcomer counts with his host. One that was told
// to go already is about to leave its place.
func (p *places) greediest(host string) *guest {
	most := 0
	for h, n := range p.silentOf {
		if h == host {
			n++
		}
		most = max(most, n)
	}
	var oldest *guest
	for e := p.silent.Front(); e != nil; e = e.Next() {
		g := e.Value.(*guest) //nolint:forcetypeassert // it holds nothing else
		n := p.silentOf[g.host]
		if g.host == host {
			n++
		}
		if oldest == nil {
			oldest = g
		}
		if n == most {
			oldest = g
			break
		}
	}
	p.hush(oldest)
	return oldest
}

// enter gives a place to a connection.
func (p *places) enter(conn net.Conn) *guest {
	g := &guest{conn: conn, host: hostOf(conn.RemoteAddr())}
	p.guests[g] = struct{}{}
	g.silent = p.silent.PushBack(g)
	p.silentOf[g.host]++
	return g
}

// heard notes that it is known what a connection speaks, or never will be.
func (p *places) heard(g *guest) { p.hush(g) }

// hush takes a connection from those that are silent.
func (p *places) hush(g *guest) {
	if g == nil || g.silent == nil {
		return
	}
	p.silent.Remove(g.silent)
	g.silent = nil
	if p.silentOf[g.host]--; p.silentOf[g.host] == 0 {
		delete(p.silentOf, g.host)
	}
}

// leave gives a place back.
func (p *places) leave(g *guest) {
	p.hush(g)
	delete(p.guests, g)
}

// resting reports whether no call is in flight on a connection of Rollcall's own,
// and how many requests have come.
func (g *guest) resting() (requests uint64, ok bool) {
	if g.rollcall == nil || g.shed != nil {
		return 0, false
	}
	return g.rollcall.Resting()
}

// idlest returns up to n connections on which nothing is in flight, those first on
// which it has been so for longest, as far as the looks show.
func (p *places) idlest(n int) []*guest {
	var resting []*guest
	for g := range p.guests {
		if requests, ok := g.resting(); ok {
			if requests != g.requests {
				g.requests, g.idle = requests, time.Time{}
			}
			resting = append(resting, g)
		}
	}
	slices.SortFunc(resting, func(a, b *guest) int {
		switch {
		case a.idle.IsZero() != b.idle.IsZero():
			if a.idle.IsZero() {
				return 1
			}
			return -1
		default:
			return a.idle.Compare(b.idle)
		}
	})
	return resting[:min(n, len(resting))]
}

// look notes who is idle now, and returns those that have been so for limit, where
// that is not negative.
func (p *places) look(now time.Time, limit time.Duration) (over []*guest) {
	for g := range p.guests {
		requests, ok := g.resting()
		switch {
		case !ok || requests != g.requests:
			g.requests, g.idle = requests, time.Time{}
		case g.idle.IsZero():
			g.idle = now
		case limit > 0 && now.Sub(g.idle) >= limit:
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
