// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A monitor writes the lines of mntr.
type monitor struct{ b *bytes.Buffer }

func (m monitor) line(key string, value any) { fmt.Fprintf(m.b, "zk_%s\t%v\n", key, value) }

// summary writes the five lines of a measure in ms.
func (m monitor) summary(key string, s *spread) {
	least, avg, most := s.millis()
	m.line("avg_"+key, decimal(avg))
	m.line("min_"+key, least)
	m.line("max_"+key, most)
	m.line("cnt_"+key, s.count)
	_, sum, _ := (&spread{count: 1, sum: s.sum}).millis()
	m.line("sum_"+key, int64(sum))
}

// writeMntr tells what there is to measure under ZooKeeper's names. What cannot
// happen here is told as 0; what is not measured is left out.
func writeMntr(c *conn, b *bytes.Buffer) {
	s, m := c.srv, monitor{b}
	t, packets := s.version.Load(), s.stats.get()
	all := packets.latency()
	least, avg, most := all.millis()
	m.line("version", version)
	m.line("server_state", "standalone")
	m.line("ephemerals_count", t.NumEphemerals())
	m.line("num_alive_connections", s.connCount())
	m.line("avg_latency", decimal(avg))
	m.line("min_latency", least)
	m.line("max_latency", most)
	m.line("outstanding_requests", s.outstanding())
	m.line("znode_count", s.nodeCount())
	m.line("watch_count", s.watchCount())
	m.line("packets_sent", packets.sent)
	m.line("packets_received", packets.received)
	m.line("approximate_data_size", t.Bytes())
	m.files()
	m.line("global_sessions", t.NumSessions())
	m.line("local_sessions", 0)
	m.line("uptime", s.opts.Clock.Now().Sub(s.started).Milliseconds())
	m.line("connection_drop_probability", "0.0")
	m.sizes(&packets.sizes)
	m.line("outstanding_tls_handshake", 0)
	m.line("auth_failed_count", s.stats.unproven.Load())
	m.line("non_mtls_remote_conn_count", 0)
	m.line("non_mtls_local_conn_count", 0)
	m.counters(s, &packets)
	m.summary("readlatency", &packets.reads)
	m.summary("updatelatency", &packets.writes)
	disk := s.stats.getDisk()
	m.summary("fsynctime", &disk.syncs)
	m.summary("snapshottime", &disk.snapshots)
}

func (m monitor) counters(s *Server, packets *tally) {
	m.line("bytes_received_count", packets.bytesReceived)
	m.line("response_bytes", packets.sizes.sum)
	m.line("watch_bytes", packets.watchBytes)
	m.line("connection_rejected", s.stats.rejected.Load())
	m.line("connection_request_count", s.stats.connected.Load())
	m.line("connection_drop_count", 0)
	m.line("connection_revalidate_count", 0)
	m.line("snap_count", 0) // of those sent to other servers
	m.line("commit_count", 0)
	m.line("stale_sessions_expired", s.stats.expired.Load())
	m.line("sessionless_connections_expired", s.stats.silent.Load())
	m.line("throttled_ops", 0)
	m.line("unrecoverable_error_count", 0)
	m.line("large_requests_rejected", s.stats.tooLarge.Load())
}

// sizes writes the lengths of replies, -1 where there was none yet.
func (m monitor) sizes(s *spread) {
	last, least, most := s.last, s.least, s.most
	if s.count == 0 {
		last, least, most = -1, -1, -1
	}
	m.line("last_client_response_size", last)
	m.line("max_client_response_size", most)
	m.line("min_client_response_size", least)
}

// files writes how many files the process has open and may have, where the
// system tells.
func (m monitor) files() {
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		m.line("open_file_descriptor_count", len(list))
	}
	if n, ok := maxOpenFiles(); ok {
		m.line("max_file_descriptor_count", n)
	}
}

func maxOpenFiles() (int64, bool) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(text), "Max open files")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	return n, err == nil
}

// watchCount returns how many watches there are, on nodes themselves and on lists
// of children.
func (s *Server) watchCount() int {
	s.pub.RLock()
	defer s.pub.RUnlock()
	return s.watches.count()
}
