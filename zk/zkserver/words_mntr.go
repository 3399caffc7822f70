// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
)

// A monitor writes the lines of mntr.
type monitor struct{ b *bytes.Buffer }

func (m monitor) line(key string, value any) { fmt.Fprintf(m.b, "zk_%s\t%v\n", key, value) }

// summary writes the five lines of a measure in ms.
func (m monitor) summary(key string, s MeasureState) {
	m.line("avg_"+key, decimal(s.AvgMS))
	m.line("min_"+key, int64(s.MinMS))
	m.line("max_"+key, int64(s.MaxMS))
	m.line("cnt_"+key, s.Count)
	m.line("sum_"+key, int64(s.SumMS))
}

// writeMntr tells what there is to measure under ZooKeeper's names. What cannot
// happen here is told as 0; what is not measured is left out.
func writeMntr(c *conn, b *bytes.Buffer) {
	m, st := monitor{b}, c.srv.summary()
	st.OpenFiles, st.MaxOpenFiles = openFiles()
	latency := &st.Traffic.Latency
	m.line("version", st.Version)
	m.line("server_state", st.Mode)
	m.line("ephemerals_count", st.Ephemerals)
	m.line("num_alive_connections", st.ConnectionCount)
	m.line("avg_latency", decimal(latency.AvgMS))
	m.line("min_latency", int64(latency.MinMS))
	m.line("max_latency", int64(latency.MaxMS))
	m.line("outstanding_requests", st.Outstanding)
	m.line("znode_count", st.nodeCount())
	m.line("watch_count", st.Watches)
	m.line("packets_sent", st.Traffic.Sent)
	m.line("packets_received", st.Traffic.Received)
	m.line("approximate_data_size", st.DataBytes)
	m.files(&st)
	m.line("global_sessions", st.SessionCount)
	m.line("local_sessions", 0)
	m.line("uptime", st.UptimeMS)
	m.line("connection_drop_probability", "0.0")
	m.sizes(&st.Traffic)
	m.line("outstanding_tls_handshake", 0)
	m.line("auth_failed_count", st.Counts.AuthFailures+st.Counts.WrongPasswords)
	m.line("non_mtls_remote_conn_count", 0)
	m.line("non_mtls_local_conn_count", 0)
	m.counters(&st)
	m.summary("readlatency", st.Traffic.Reads)
	m.summary("updatelatency", st.Traffic.Writes)
	disk := c.srv.stats.getDisk()
	m.summary("fsynctime", disk.syncs.state())
	m.summary("snapshottime", disk.snapshots.state())
}

func (m monitor) counters(st *State) {
	m.line("bytes_received_count", st.Traffic.ReceivedBytes)
	m.line("response_bytes", st.Traffic.ReplyBytes)
	m.line("watch_bytes", st.Traffic.NotificationBytes)
	m.line("connection_rejected", st.Counts.Refused)
	m.line("connection_request_count", st.Counts.Handshakes)
	m.line("connection_drop_count", 0)
	m.line("connection_revalidate_count", 0)
	m.line("snap_count", 0) // of those sent to other servers
	m.line("commit_count", 0)
	m.line("stale_sessions_expired", st.Counts.SessionsExpired)
	m.line("sessionless_connections_expired", st.Counts.Silent)
	m.line("throttled_ops", st.Counts.Slowed)
	m.line("unrecoverable_error_count", 0)
	m.line("large_requests_rejected", st.Counts.RequestsTooLarge)
}

// sizes writes the lengths of replies, -1 where there was none yet.
func (m monitor) sizes(t *TrafficState) {
	last, least, most := t.LastReplyBytes, t.MinReplyBytes, t.MaxReplyBytes
	if t.Replies == 0 {
		last, least, most = -1, -1, -1
	}
	m.line("last_client_response_size", last)
	m.line("max_client_response_size", most)
	m.line("min_client_response_size", least)
}

// files writes how many files the process has open and may have, where the
// system tells.
func (m monitor) files(st *State) {
	if st.OpenFiles >= 0 {
		m.line("open_file_descriptor_count", st.OpenFiles)
	}
	if st.MaxOpenFiles >= 0 {
		m.line("max_file_descriptor_count", st.MaxOpenFiles)
	}
}
