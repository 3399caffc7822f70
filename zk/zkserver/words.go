// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
)

// version is what monitoring tools and clients are told: the ZooKeeper whose
// protocol this is.
const version = "3.9.4-rollcall, built on 2026-01-01 00:00 UTC"

// defaultWords are the four-letter words that are answered without being asked
// to in Options.
var defaultWords = []string{"conf", "envi", "isro", "mntr", "ruok", "srvr", "stat"}

// words is the table of four-letter words. Source: ZooKeeper Administrator's
// Guide, "The Four Letter Words".
var words = map[string]func(s *Server, b *bytes.Buffer){
	"conf": writeConf,
	"envi": writeEnvi,
	"isro": func(_ *Server, b *bytes.Buffer) { b.WriteString("rw") },
	"mntr": writeMntr,
	"ruok": func(_ *Server, b *bytes.Buffer) { b.WriteString("imok") },
	"srvr": func(s *Server, b *bytes.Buffer) {
		fmt.Fprintf(b, "Zookeeper version: %s\n", version)
		writeServer(s, b)
	},
	"stat": writeStat,
}

func (s *Server) isWord(word string) bool { return words[word] != nil }

// serveWord answers a four-letter word; the connection ends behind it.
func (c *conn) serveWord(word string) {
	var b bytes.Buffer
	allowed := c.srv.opts.FourLetterWords
	if slices.Contains(allowed, word) || slices.Contains(allowed, "*") {
		words[word](c.srv, &b)
	} else {
		fmt.Fprintf(&b, "%s is not executed because it is not in the whitelist.\n", word)
	}
	c.out.mu.Lock()
	if c.out.open() {
		c.out.buf = append(c.out.buf, b.Bytes()...)
	}
	c.out.mu.Unlock()
}

// nodeCount counts as ZooKeeper does, which has the root twice.
func (s *Server) nodeCount() int { return s.version.Load().Len() + 1 }

func (s *Server) connCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// outstanding is how many requests wait for the owner.
func (s *Server) outstanding() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.items)
}

func writeServer(s *Server, b *bytes.Buffer) {
	avg, most := s.stats.latency()
	fmt.Fprintf(b, "Latency min/avg/max: 0/%s/%d\n", strconv.FormatFloat(avg, 'f', 4, 64), most)
	fmt.Fprintf(b, "Received: %d\nSent: %d\n", s.stats.received.Load(), s.stats.sent.Load())
	fmt.Fprintf(b, "Connections: %d\nOutstanding: %d\n", s.connCount(), s.outstanding())
	fmt.Fprintf(b, "Zxid: 0x%x\nMode: standalone\nNode count: %d\n", s.version.Load().Zxid(), s.nodeCount())
}

func writeStat(s *Server, b *bytes.Buffer) {
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", version)
	s.mu.Lock()
	lines := make([]string, 0, len(s.conns))
	for c := range s.conns {
		lines = append(lines, fmt.Sprintf(" /%s[%d](queued=0,recved=%d,sent=%d)\n",
			c.nc.RemoteAddr(), min(1, c.recv.Load()), c.recv.Load(), c.recv.Load()))
	}
	s.mu.Unlock()
	slices.Sort(lines)
	for _, line := range lines {
		b.WriteString(line)
	}
	b.WriteByte('\n')
	writeServer(s, b)
}

func writeConf(s *Server, b *bytes.Buffer) {
	perHost := s.opts.MaxConnectionsPerHost
	if perHost == math.MaxInt {
		perHost = 0 // ZooKeeper's word for unlimited
	}
	fmt.Fprintf(b, "secureClientPort=-1\ntickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\nserverId=0\n",
		s.opts.TickTime.Milliseconds(), perHost,
		s.opts.MinSessionTimeout.Milliseconds(), s.opts.MaxSessionTimeout.Milliseconds())
}

func writeEnvi(_ *Server, b *bytes.Buffer) {
	host, _ := os.Hostname()
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\ngo.version=%s\nos.name=%s\nos.arch=%s\nuser.name=%s\n",
		version, host, runtime.Version(), runtime.GOOS, runtime.GOARCH, name)
}

func writeMntr(s *Server, b *bytes.Buffer) {
	t := s.version.Load()
	s.pub.RLock()
	_, watches := s.watches.count()
	s.pub.RUnlock()
	avg, most := s.stats.latency()
	line := func(key string, value any) { fmt.Fprintf(b, "zk_%s\t%v\n", key, value) }
	line("version", version)
	line("server_state", "standalone")
	line("ephemerals_count", t.NumEphemerals())
	line("num_alive_connections", s.connCount())
	line("avg_latency", strconv.FormatFloat(avg, 'f', 4, 64))
	line("min_latency", 0)
	line("max_latency", most)
	line("outstanding_requests", s.outstanding())
	line("znode_count", s.nodeCount())
	line("watch_count", watches)
	line("packets_sent", s.stats.sent.Load())
	line("packets_received", s.stats.received.Load())
	line("global_sessions", t.NumSessions())
	line("local_sessions", 0)
	line("uptime", s.opts.Clock.Now().Sub(s.started).Milliseconds())
	line("connection_rejected", s.stats.rejected.Load())
	line("stale_sessions_expired", s.stats.expired.Load())
}
