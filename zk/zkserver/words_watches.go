// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// A watched is a path and a session that watches it.
type watched struct {
	path    string
	session int64
}

// watchedPaths returns the watches on nodes themselves: ZooKeeper tells no others
// here.
func (s *Server) watchedPaths() []watched {
	s.pub.RLock()
	defer s.pub.RUnlock()
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	var all []watched
	for path, list := range s.watches.data {
		for _, w := range list {
			all = append(all, watched{path, w.conn.session.id})
		}
	}
	return all
}

func writeWatchSummary(c *conn, b *bytes.Buffer) {
	all := c.srv.watchedPaths()
	sessions, paths := map[int64]bool{}, map[string]bool{}
	for _, w := range all {
		sessions[w.session], paths[w.path] = true, true
	}
	fmt.Fprintf(b, "%d connections watching %d paths\nTotal watches:%d\n", len(sessions), len(paths), len(all))
}

func writeWatchesBySession(c *conn, b *bytes.Buffer) {
	bySession := map[int64][]string{}
	for _, w := range c.srv.watchedPaths() {
		bySession[w.session] = append(bySession[w.session], w.path)
	}
	for _, id := range slices.Sorted(maps.Keys(bySession)) {
		fmt.Fprintf(b, "0x%x\n", id)
		for _, path := range slices.Sorted(slices.Values(bySession[id])) {
			fmt.Fprintf(b, "\t%s\n", path)
		}
	}
	b.WriteByte('\n')
}

func writeWatchesByPath(c *conn, b *bytes.Buffer) {
	byPath := map[string][]int64{}
	for _, w := range c.srv.watchedPaths() {
		byPath[w.path] = append(byPath[w.path], w.session)
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		fmt.Fprintln(b, path)
		for _, id := range slices.Sorted(slices.Values(byPath[path])) {
			fmt.Fprintf(b, "\t0x%x\n", id)
		}
	}
	b.WriteByte('\n')
}
