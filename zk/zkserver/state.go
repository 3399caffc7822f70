// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"math"
	"time"
)

// A State is what a [Server] does at one moment: what the four-letter words tell,
// and some more. Its parts are read one after the other while the server works on,
// so that two of them may differ by what happened in between.
type State struct {
	Version    string    `json:"version"`     // of the ZooKeeper that clients may take it for
	Mode       string    `json:"mode"`        // always "standalone"
	Addresses  []string  `json:"addresses"`   // of the listeners that are served, in order; empty: none is
	ClientPort int       `json:"client_port"` // the greatest TCP port of them; -1: there is none
	StartedAt  time.Time `json:"started_at"`  // when the Server was made
	UptimeMS   int64     `json:"uptime_ms"`   // since then
	Error      string    `json:"error,omitempty"`

	Zxid       Hex   `json:"zxid"`       // of the last transaction that is published
	Znodes     int   `json:"znodes"`     // the built-in ones included; ZooKeeper, and so the words, count the root twice
	Ephemerals int   `json:"ephemerals"` // of the znodes
	DataBytes  int64 `json:"data_bytes"` // approximately: of paths and data
	Watches    int   `json:"watches"`    // on nodes and on lists of children

	Outstanding   int   `json:"outstanding"`    // requests that wait for the owner
	BufferedBytes int64 `json:"buffered_bytes"` // of MaxBufferedBytes

	SessionCount       int `json:"session_count"`
	ConnectionCount    int `json:"connection_count"`
	PendingConnections int `json:"pending_connections"` // of them: have not sent their first request, or have to wait for having guessed

	Traffic TrafficState `json:"traffic"`
	Counts  CountState   `json:"counts"`
	Limits  LimitState   `json:"limits"`

	// OpenFiles are those of the whole process, MaxOpenFiles how many it may have.
	// -1: the system does not tell.
	OpenFiles    int64 `json:"open_files"`
	MaxOpenFiles int64 `json:"max_open_files"`

	Disk        *DiskState        `json:"disk"`        // null: everything is in memory alone
	Sessions    []SessionState    `json:"sessions"`    // by id; those that are just being opened too
	Connections []ConnectionState `json:"connections"` // the oldest first
}

// A TrafficState counts packets, since the server was made or the word srst was
// sent.
type TrafficState struct {
	Received          int64 `json:"received"` // packets from clients
	Sent              int64 `json:"sent"`     // packets to clients: replies and notifications
	ReceivedBytes     int64 `json:"received_bytes"`
	NotificationBytes int64 `json:"notification_bytes"`

	Replies        int64 `json:"replies"`
	ReplyBytes     int64 `json:"reply_bytes"` // of all replies
	MinReplyBytes  int64 `json:"min_reply_bytes"`
	MaxReplyBytes  int64 `json:"max_reply_bytes"`
	LastReplyBytes int64 `json:"last_reply_bytes"`

	// Latency is from when a request was read until its reply was ready to be
	// sent; Reads and Writes are its parts.
	Latency MeasureState `json:"latency"`
	Reads   MeasureState `json:"reads"`
	Writes  MeasureState `json:"writes"`
}

// A MeasureState is what is known of many durations, in milliseconds. All is 0 if
// Count is.
type MeasureState struct {
	Count  int64   `json:"count"`
	MinMS  float64 `json:"min_ms"`
	AvgMS  float64 `json:"avg_ms"`
	MaxMS  float64 `json:"max_ms"`
	LastMS float64 `json:"last_ms"`
	SumMS  float64 `json:"sum_ms"`
}

// A CountState counts what happened since the server was made.
type CountState struct {
	Handshakes       int64 `json:"handshakes"`
	Refused          int64 `json:"refused"`            // connections that went beyond a limit, or others for them
	Ahead            int64 `json:"ahead"`              // connections of clients that had seen a later zxid
	Silent           int64 `json:"silent"`             // connections without a first request in time
	SessionsExpired  int64 `json:"sessions_expired"`   // not heard of in time
	RequestsTooLarge int64 `json:"requests_too_large"` // of more than MaxPacketBytes
	AuthFailures     int64 `json:"auth_failures"`
	WrongPasswords   int64 `json:"wrong_passwords"` // for a session that lives, and for the user of [Options.SuperDigest]
	Slowed           int64 `json:"slowed"`          // authentications that had to wait, for their address had made many
}

// A LimitState is the [Options] that bound something, with their defaults filled
// in. -1 is unlimited.
type LimitState struct {
	TickMS                int64 `json:"tick_ms"`
	MinSessionTimeoutMS   int64 `json:"min_session_timeout_ms"`
	MaxSessionTimeoutMS   int64 `json:"max_session_timeout_ms"`
	HandshakeTimeoutMS    int64 `json:"handshake_timeout_ms"`
	MaxConnections        int64 `json:"max_connections"`
	MaxConnectionsPerHost int64 `json:"max_connections_per_host"`
	MaxPendingConnections int64 `json:"max_pending_connections"`
	MaxOutstanding        int64 `json:"max_outstanding"`
	MaxUnreadBytes        int64 `json:"max_unread_bytes"`
	MaxBufferedBytes      int64 `json:"max_buffered_bytes"`
	MaxWatchBytes         int64 `json:"max_watch_bytes"`
	MaxPacketBytes        int64 `json:"max_packet_bytes"`
}

// State returns what the server does now. It takes time in proportion to the
// number of connections, sessions and ephemeral nodes.
func (s *Server) State() State {
	st := s.summary()
	st.OpenFiles, st.MaxOpenFiles = openFiles()
	st.Disk = s.diskState()
	st.Sessions = s.sessionStates()
	st.Connections = s.connectionStates()
	return st
}

// summary returns the part of the state that costs little: that without files,
// disk, sessions and connections.
func (s *Server) summary() State {
	t := s.version.Load()
	st := State{
		Version: version, Mode: "standalone", StartedAt: s.started, UptimeMS: s.opts.Clock.Now().Sub(s.started).Milliseconds(),
		Zxid: Hex(t.Zxid()), Znodes: t.Len(), Ephemerals: t.NumEphemerals(), DataBytes: t.Bytes(), Watches: int(s.watches.count.Load()),
		Outstanding: s.queue.len(), BufferedBytes: s.held.used.Load(),
		SessionCount: t.NumSessions(),
		Counts:       s.stats.counts(), Limits: s.opts.limits(),
		OpenFiles: -1, MaxOpenFiles: -1,
	}
	packets := s.stats.get()
	st.Traffic = packets.state()
	st.Addresses, st.ClientPort = s.addresses()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.ConnectionCount, st.PendingConnections = len(s.conns), s.silent.Len()
	if s.fatal != nil {
		st.Error = s.fatal.Error()
	}
	return st
}

// limits returns the limits of options whose defaults are filled in.
func (o *Options) limits() LimitState {
	return LimitState{
		TickMS:                o.TickTime.Milliseconds(),
		MinSessionTimeoutMS:   o.MinSessionTimeout.Milliseconds(),
		MaxSessionTimeoutMS:   o.MaxSessionTimeout.Milliseconds(),
		HandshakeTimeoutMS:    o.HandshakeTimeout.Milliseconds(),
		MaxConnections:        shown(int64(o.MaxConnections)),
		MaxConnectionsPerHost: shown(int64(o.MaxConnectionsPerHost)),
		MaxPendingConnections: shown(int64(o.MaxPendingConnections)),
		MaxOutstanding:        shown(int64(o.MaxOutstanding)),
		MaxUnreadBytes:        shown(int64(o.MaxUnreadBytes)),
		MaxBufferedBytes:      shown(o.MaxBufferedBytes),
		MaxWatchBytes:         shown(o.MaxWatchBytes),
		MaxPacketBytes:        int64(o.MaxPacketBytes),
	}
}

// shown undoes what limit does to an unlimited number.
func shown(n int64) int64 {
	if n == math.MaxInt {
		return -1
	}
	return n
}
