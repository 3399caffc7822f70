// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/reload"
	"github.com/rollcall-rpc/rollcall/internal/transport"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A standard is the default of one setting. Its value is a time.Duration, a
// sizeBytes, an int or a string, the key of -o json ends in ms or bytes
// accordingly.
type standard struct {
	name  string
	value any
	about string
}

// A sizeBytes is a number of bytes.
type sizeBytes int

// standards are the defaults that hold where nothing else is said. None of them
// is written here: each is what its package goes by.
var standards = []standard{
	{"target", defaultTarget, "of a command that is given none, unless " + environmentTarget + " names one"},
	{"session_timeout", zk.DefaultSessionTimeout, "of the ZooKeeper session: how long the list shows a server that died without a word"},
	{"registry_dial_timeout", zk.DefaultConnectTimeout, "to dial a server of the registry, for TLS and for its answer"},
	{"min_update_interval", zookeeper.DefaultMinUpdateInterval, "between two updates of one list"},
	{"full_read_interval", zookeeper.DefaultResync, "the list is read whole and compared, as a safety net"},
	{"connect_timeout", rollcall.DefaultConnectTimeout, "to dial an instance, and again for its preface"},
	{"balance", balancer.P2C.Name(), "how a client chooses among the instances"},
	{"backoff_min", balancer.DefaultBackoffMin, "the shortest pause before an instance that failed is tried again, with full jitter"},
	{"backoff_max", balancer.DefaultBackoffMax, "the longest one"},
	{"retry_percent", rollcall.RetryPercent, "of a client's calls: how many further attempts its calls may make"},
	{"retries_per_second", rollcall.RetriesPerSecond, "likewise, beside those"},
	{"client_deadline", rollcall.CallOptions{}.Timeout, "of a call, beside that of its context"},
	{"keepalive_interval", transport.DefaultKeepaliveInterval, "silence on a connection with calls outstanding until it is probed"},
	{"keepalive_misses", transport.DefaultKeepaliveMisses, "unanswered probes until the connection is given up"},
	{"max_message", sizeBytes(frame.DefaultMaxMessage), "one request or reply"},
	{"max_metadata", sizeBytes(frame.DefaultMaxMetadata), "the metadata of one request or reply"},
	{"max_frame", sizeBytes(frame.DefaultMaxFrame), "the payload of one frame; longer messages are split"},
	{"max_streams", frame.DefaultMaxStreams, "calls at once on one connection"},
	{"max_connections", rollcall.DefaultMaxConnections, "of a server; beyond it the longest idle gives way"},
	{"max_host_connections", rollcall.DefaultMaxConnectionsPerHost, "of them from one address"},
	{"max_buffered", sizeBytes(rollcall.DefaultMaxBufferedBytes), "of a server, of requests whose last piece has not come, over all connections"},
	{"idle_timeout", rollcall.DefaultIdleTimeout, "of a server, for a connection without a call"},
	{"max_pending_connections", rollcall.DefaultMaxPendingConnections, "of a server, that have not said yet what they speak"},
	{"first_byte_timeout", rollcall.DefaultFirstByteTimeout, "for a client to say what it speaks"},
	{"handshake_timeout", transport.DefaultHandshakeTimeout, "of a server, for the preface of a client"},
	{"tls_files_interval", reload.DefaultEvery, "the files of TLS and of tokens are left alone after a look"},
	{"drain_delay", rollcall.DefaultDrainDelay, "a server that drains serves on as before, while the news spreads"},
	{"drain_timeout", rollcall.DefaultDrainTimeout, "for its calls in flight to end"},
	{"dialect_idle_timeout", rollcall.DefaultDialectIdleTimeout, "of a client, for a connection in a foreign format without a call"},
	{"draining", balancer.DefaultDrainFor, "a client does not pick an instance that drains"},
	{"linger", balancer.DefaultLingerFor, "a client remembers an instance that left the list without a word"},
	{"slow_start", balancer.DefaultSlowStart, "a new instance grows from a tenth of its weight to all of it"},
	{"eject_after", balancer.DefaultEjectAfter, "attempts on an instance that fail in a row until it is ejected"},
	{"eject_for", balancer.DefaultEjectFor, "the first time, and as much longer each further time"},
	{"eject_percent", balancer.DefaultEjectPercent, "of the instances at most are ejected at a time, but one always may be"},
	{"weight", discovery.DefaultWeight, "of an instance"},
	{"max_overrides", sizeBytes(layout.MaxOverridesBytes), "the document of operators' orders for the instances of one service"},
}

// key is what the setting is called in JSON: a number has its unit in the name.
func (s standard) key() string {
	switch s.value.(type) {
	case time.Duration:
		return s.name + "_ms"
	case sizeBytes:
		return s.name + "_bytes"
	}
	return s.name
}

// plain is the value in JSON: null for no bound.
func (s standard) plain() any {
	switch v := s.value.(type) {
	case time.Duration:
		if v == 0 {
			return nil
		}
		return v.Milliseconds()
	case sizeBytes:
		return int(v)
	}
	return s.value
}

// String is the value for people.
func (s standard) String() string {
	switch v := s.value.(type) {
	case time.Duration:
		if v == 0 {
			return "none"
		}
		return v.String()
	case sizeBytes:
		return v.String()
	}
	return fmt.Sprint(s.value)
}

// String writes whole MiB and KiB as such.
func (n sizeBytes) String() string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.Itoa(int(n>>20)) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.Itoa(int(n>>10)) + " KiB"
	}
	return strconv.Itoa(int(n)) + " bytes"
}

// defaultsJSON is the table as one object.
func defaultsJSON() map[string]any {
	doc := make(map[string]any, len(standards))
	for _, s := range standards {
		doc[s.key()] = s.plain()
	}
	return doc
}

func printDefaults(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tDEFAULT\tMEANING")
	for _, s := range standards {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.name, s, s.about)
	}
	return table.Flush()
}
