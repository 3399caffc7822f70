// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// javaDate is how Java writes a time (Date.toString).
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

// An ending is when something ends, and its line.
type ending struct {
	at   time.Time
	line string
}

// writeDump lists the sessions by when they end, their ephemeral nodes, and the
// connections by when their sessions end.
func writeDump(c *conn, b *bytes.Buffer) {
	s := c.srv
	views := s.connectionStates()
	at := map[Hex]time.Time{}
	var sessions, conns []ending
	for _, st := range s.sessionStates() {
		at[st.ID] = st.ExpiresAt
		sessions = append(sessions, ending{st.ExpiresAt, fmt.Sprintf("\t%s", st.ID)})
	}
	for _, v := range views {
		end := s.opts.Clock.Now().Add(s.opts.HandshakeTimeout)
		if known, ok := at[v.SessionID]; ok {
			end = known
		}
		conns = append(conns, ending{end, fmt.Sprintf("\tip: /%s sessionId: %s", v.Peer, v.SessionID)})
	}
	b.WriteString("SessionTracker dump:\nSession ")
	s.writeEndings(b, sessions)
	s.writeEphemerals(b)
	b.WriteString("Connections dump:\nConnections ")
	s.writeEndings(b, conns)
}

// writeEndings writes what ends, gathered by the tick in which it does.
func (s *Server) writeEndings(b *bytes.Buffer, list []ending) {
	tick := s.opts.TickTime
	for i := range list {
		list[i].at = list[i].at.Truncate(tick).Add(tick)
	}
	slices.SortStableFunc(list, func(a, b ending) int { return a.at.Compare(b.at) })
	var groups [][]ending
	for i, e := range list {
		if i == 0 || !e.at.Equal(list[i-1].at) {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], e)
	}
	fmt.Fprintf(b, "Sets (%d)/(%d):\n", len(groups), len(list))
	for _, g := range groups {
		fmt.Fprintf(b, "%d expire at %s:\n", len(g), g[0].at.Format(javaDate))
		for _, e := range g {
			fmt.Fprintln(b, e.line)
		}
	}
}

// writeEphemerals lists the ephemeral nodes of each session that has some.
func (s *Server) writeEphemerals(b *bytes.Buffer) {
	t := s.version.Load()
	count, lines := 0, bytes.Buffer{}
	t.Sessions(func(id int64, _ int32) bool {
		paths := t.Ephemerals(id)
		if len(paths) == 0 {
			return true
		}
		count++
		fmt.Fprintf(&lines, "0x%x:\n", id)
		for _, path := range paths {
			fmt.Fprintf(&lines, "\t%s\n", path)
		}
		return true
	})
	fmt.Fprintf(b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", count)
	b.Write(lines.Bytes())
}
