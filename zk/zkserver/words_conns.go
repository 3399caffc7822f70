// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A connView is a connection as the four-letter words see it.
type connView struct {
	conn    *conn
	session *session // nil: none
	traffic traffic
	queued  int // requests with the owner
}

// connViews returns the connections in the order of their remote addresses.
func (s *Server) connViews() []connView {
	s.mu.Lock()
	views := make([]connView, 0, len(s.conns))
	of := make(map[*conn]*session, len(s.sessions))
	for _, sess := range s.sessions {
		if c := sess.conn.Load(); c != nil {
			of[c] = sess
		}
	}
	for c := range s.conns {
		views = append(views, connView{conn: c, session: of[c]})
	}
	s.mu.Unlock()
	for i := range views {
		v := &views[i]
		v.conn.out.mu.Lock()
		v.traffic, v.queued = v.conn.traffic, v.conn.out.pending
		v.conn.out.mu.Unlock()
	}
	slices.SortFunc(views, func(a, b connView) int {
		return cmp.Or(cmp.Compare(a.conn.since, b.conn.since), cmp.Compare(a.remote(), b.remote()))
	})
	return views
}

func (v *connView) remote() string { return fmt.Sprint(v.conn.nc.RemoteAddr()) }

// write appends the line of a connection without its end.
func (v *connView) write(b *bytes.Buffer) {
	interest := 0 // what ZooKeeper's selector waits for: 1 is reading
	if v.session != nil {
		interest = 1
	}
	fmt.Fprintf(b, " /%s[%d](queued=%d,recved=%d,sent=%d", v.remote(), interest, v.queued, v.traffic.received, v.traffic.sent)
}

// writeFull appends the line with what is known of the session and the last
// reply.
func (v *connView) writeFull(b *bytes.Buffer) {
	v.write(b)
	if v.session == nil {
		b.WriteString(")\n")
		return
	}
	t := &v.traffic
	lop, zxid, ms := "NA", int64(-1), int64(time.Millisecond)
	if t.last.handler != nil {
		lop, zxid = t.last.handler.short, t.last.zxid
	}
	fmt.Fprintf(b, ",sid=0x%x,lop=%s,est=%d,to=%d", v.session.id, lop, v.conn.since, v.session.timeout.Load()/ms)
	if t.last.xid > 0 {
		fmt.Fprintf(b, ",lcxid=0x%x", t.last.xid)
	}
	least, avg, most := t.latency.millis()
	fmt.Fprintf(b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d)\n",
		uint64(zxid), t.at/ms, t.latency.last/ms, least, int64(avg), most) //nolint:gosec // a pattern of bits
}

func writeCons(c *conn, b *bytes.Buffer) {
	for _, v := range c.srv.connViews() {
		v.writeFull(b)
	}
	b.WriteByte('\n')
}

func writeStat(c *conn, b *bytes.Buffer) {
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", version)
	for _, v := range c.srv.connViews() {
		v.write(b)
		b.WriteString(")\n")
	}
	b.WriteByte('\n')
	writeServer(c.srv, b)
}

// resetConns begins the counts of every connection anew.
func resetConns(c *conn, b *bytes.Buffer) {
	s := c.srv
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.out.mu.Lock()
		c.traffic = traffic{}
		c.out.mu.Unlock()
	}
	b.WriteString("Connection stats reset.\n")
}
