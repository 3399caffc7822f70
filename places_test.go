// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"net"
	"testing"
	"time"
)

// A visitor is a connection of an address.
type visitor struct {
	net.Conn
	addr string
}

func (v visitor) RemoteAddr() net.Addr { return visitorAddr(v.addr) }

type visitorAddr string

func (visitorAddr) Network() string  { return "tcp" }
func (a visitorAddr) String() string { return string(a) }

// arrive has a connection of addr enter, and who gives way for it leave. It returns
// the one that has entered, and who gave way, nil where it was turned away.
func arrive(p *places, addr string, now time.Time) (entered, gives *guest, err error) {
	name := hostOf(visitorAddr(addr))
	gives, err = p.room(name, now)
	if gives == nil && err != nil {
		return nil, nil, err
	}
	if gives != nil {
		p.dismiss(gives, err)
		p.leave(gives)
	}
	return p.enter(visitor{addr: addr}, name, now), gives, err
}

// Where too many are silent, it is the address with the most of them that gives a
// place, its oldest; the newcomer's counts with him.
func TestGreediestGives(t *testing.T) {
	now := time.Now()
	p := newPlaces(100, 100, 6)
	var guests []*guest
	for _, addr := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3", "10.0.0.3:1", "10.0.0.1:2"} {
		g, gives, err := arrive(&p, addr, now)
		if gives != nil || err != nil {
			t.Fatalf("%s: no room for it", addr)
		}
		guests = append(guests, g)
	}
	for _, step := range []struct {
		newcomer string
		gives    *guest
	}{
		{"10.0.0.9:1", guests[1]}, // 10.0.0.2 has three
		{"10.0.0.1:3", guests[0]}, // with him, 10.0.0.1 has three, and its first came before those of 10.0.0.2
	} {
		if _, gives, err := arrive(&p, step.newcomer, now); gives != step.gives || err == nil {
			t.Errorf("%s takes the place of %+v, want that of %s", step.newcomer, gives, step.gives.conn.RemoteAddr())
		}
	}
	// Who speaks is silent no more, and gives nothing.
	for g := range p.guests {
		p.heard(g)
	}
	if gives, err := p.room("10.0.0.2", now); gives != nil || err != nil {
		t.Errorf("nobody is silent, and %+v is to go", gives)
	}
	// Without a place, and with nobody idle, a newcomer is turned away.
	p.most = len(p.guests)
	if gives, err := p.room("10.0.0.2", now); gives != nil || err == nil {
		t.Errorf("got %+v, %v, want nobody to give way", gives, err)
	}
}

// speaks makes a guest one of a foreign format, with so many requests in hand.
func speaks(p *places, g *guest, inHand int) {
	p.heard(g)
	g.foreign = true
	for range inHand {
		g.use.begin()
	}
}

// An address has no more than its share: beyond it, one of its own gives way, or the
// newcomer is turned away, and others are let in.
func TestShareOfAnAddress(t *testing.T) {
	now := time.Now()
	p := newPlaces(10, 3, 10)
	var own []*guest
	for i, inHand := range []int{1, 0, 0} {
		g, _, err := arrive(&p, "10.0.0.1:1", now.Add(time.Duration(i)))
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, g)
		if i < 2 {
			speaks(&p, g, inHand)
		}
	}
	now = now.Add(time.Minute)
	last, gives, _ := arrive(&p, "10.0.0.1:2", now)
	if gives != own[2] {
		t.Errorf("%+v gives way, want the silent one of the address", gives)
	}
	speaks(&p, last, 1)
	last, gives, _ = arrive(&p, "10.0.0.1:3", now)
	if gives != own[1] {
		t.Errorf("%+v gives way, want the idle one of the address", gives)
	}
	speaks(&p, last, 1)
	if entered, _, err := arrive(&p, "10.0.0.1:4", now); entered != nil || err == nil {
		t.Error("an address with its share in use gets a place more")
	}
	if entered, gives, err := arrive(&p, "10.0.0.2:1", now); entered == nil || gives != nil || err != nil {
		t.Errorf("another address: %+v gives way, %v", gives, err)
	}
}

// Where all places are taken, who has just come and is about to speak does not give
// way before those that have been idle; and of these the longest idle goes first.
func TestIdleGivesBeforeWhoHasJustCome(t *testing.T) {
	now := time.Now()
	p := newPlaces(3, 3, 3)
	var idle []*guest
	for i := range 2 {
		g, _, _ := arrive(&p, "10.0.0.1:1", now.Add(time.Duration(i)))
		speaks(&p, g, 0)
		idle = append(idle, g)
	}
	idle[0].use.begin()
	idle[0].use.end() // it has done something since
	now = now.Add(time.Minute)
	arrive(&p, "10.0.0.2:1", now) //nolint:errcheck // there is room
	for i, want := range []*guest{idle[1], idle[0]} {
		if _, gives, _ := arrive(&p, "10.0.0.3:1", now); gives != want {
			t.Errorf("newcomer %d: %+v gives way, want %+v", i, gives, want)
		}
	}
}
