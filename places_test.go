// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"net"
	"testing"
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

// Where too many are silent, it is the address with the most of them that gives a
// place, its oldest; the newcomer's counts with him.
func TestGreediestGives(t *testing.T) {
	p := newPlaces(100, 6)
	var guests []*guest
	for _, addr := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3", "10.0.0.3:1", "10.0.0.1:2"} {
		if gives, err := p.room(hostOf(visitorAddr(addr))); gives != nil || err != nil {
			t.Fatalf("%s: no room for it", addr)
		}
		guests = append(guests, p.enter(visitor{addr: addr}))
	}
	for _, step := range []struct {
		newcomer string
		gives    *guest
	}{
		{"10.0.0.9:1", guests[1]}, // 10.0.0.2 has three
		{"10.0.0.1:3", guests[0]}, // with him, 10.0.0.1 has three, and its first came before those of 10.0.0.2
	} {
		gives, err := p.room(hostOf(visitorAddr(step.newcomer)))
		if gives != step.gives || err == nil {
			t.Errorf("%s takes the place of %+v, want that of %s", step.newcomer, gives, step.gives.conn.RemoteAddr())
		}
		p.leave(gives)
		p.enter(visitor{addr: step.newcomer})
	}
	// Who speaks is silent no more, and gives nothing.
	for g := range p.guests {
		p.heard(g)
	}
	if gives, err := p.room("10.0.0.2"); gives != nil || err != nil {
		t.Errorf("nobody is silent, and %+v is to go", gives)
	}
	// Without a place, and with nobody idle, a newcomer is turned away.
	p.most = len(p.guests)
	if gives, err := p.room("10.0.0.2"); gives != nil || err == nil {
		t.Errorf("got %+v, %v, want nobody to give way", gives, err)
	}
}
