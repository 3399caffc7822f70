// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"cmp"
	"fmt"
)

// write appends the line of a connection without its end.
func (c *ConnectionState) write(b *bytes.Buffer) {
	interest := 0 // what ZooKeeper's selector waits for: 1 is reading
	if c.SessionID != 0 {
		interest = 1
	}
	fmt.Fprintf(b, " /%s[%d](queued=%d,recved=%d,sent=%d", c.Peer, interest, c.Queued, c.Received, c.Sent)
}

// writeFull appends the line with what is known of the session and the last
// reply.
func (c *ConnectionState) writeFull(b *bytes.Buffer) {
	c.write(b)
	if c.SessionID == 0 {
		b.WriteString(")\n")
		return
	}
	fmt.Fprintf(b, ",sid=%s,lop=%s,est=%d,to=%d", c.SessionID, cmp.Or(c.LastOp, "NA"), c.ConnectedAt.UnixMilli(), c.TimeoutMS)
	if c.LastXid > 0 {
		fmt.Fprintf(b, ",lcxid=0x%x", c.LastXid)
	}
	l := &c.Latency
	fmt.Fprintf(b, ",lzxid=%s,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d)\n",
		c.LastZxid, c.LastReplyMS, int64(l.LastMS), int64(l.MinMS), int64(l.AvgMS), int64(l.MaxMS))
}

func writeCons(c *conn, b *bytes.Buffer) {
	for _, st := range c.srv.connectionStates() {
		st.writeFull(b)
	}
	b.WriteByte('\n')
}

func writeStat(c *conn, b *bytes.Buffer) {
	st := c.srv.summary()
	st.Connections = c.srv.connectionStates()
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", st.Version)
	for i := range st.Connections {
		st.Connections[i].write(b)
		b.WriteString(")\n")
	}
	b.WriteByte('\n')
	st.writeServer(b)
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
