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
	"strconv"
	"strings"
)

// nodeCount counts as ZooKeeper does, which has the root twice.
func (st *State) nodeCount() int { return st.Znodes + 1 }

func writeSrvr(c *conn, b *bytes.Buffer) {
	st := c.srv.summary()
	fmt.Fprintf(b, "Zookeeper version: %s\n", st.Version)
	st.writeServer(b)
}

func (st *State) writeServer(b *bytes.Buffer) {
	l := &st.Traffic.Latency
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", int64(l.MinMS), decimal(l.AvgMS), int64(l.MaxMS))
	fmt.Fprintf(b, "Received: %d\nSent: %d\n", st.Traffic.Received, st.Traffic.Sent)
	fmt.Fprintf(b, "Connections: %d\nOutstanding: %d\n", st.ConnectionCount, st.Outstanding)
	fmt.Fprintf(b, "Zxid: %s\nMode: %s\nNode count: %d\n", st.Zxid, st.Mode, st.nodeCount())
}

// decimal writes a number with one to four decimals.
func decimal(f float64) string {
	s := strconv.FormatFloat(math.Round(f*1e4)/1e4, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func writeConf(c *conn, b *bytes.Buffer) {
	st, disk := c.srv.summary(), c.srv.wordDisk()
	l := &st.Limits
	fmt.Fprintf(b, "clientPort=%d\nsecureClientPort=-1\n", st.ClientPort)
	fmt.Fprintf(b, "dataDir=%s\ndataDirSize=%d\ndataLogDir=%s\ndataLogSize=%d\n", disk.Dir, disk.Bytes, disk.Dir, disk.Bytes)
	fmt.Fprintf(b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\n",
		l.TickMS, max(l.MaxConnectionsPerHost, 0), l.MinSessionTimeoutMS, l.MaxSessionTimeoutMS) // 0 is ZooKeeper's word for unlimited
	b.WriteString("clientPortListenBacklog=-1\nserverId=0\n")
}

func writeDirs(c *conn, b *bytes.Buffer) {
	disk := c.srv.wordDisk()
	fmt.Fprintf(b, "datadir_size: %d\nlogdir_size: %d\n", disk.Bytes, disk.Bytes)
}

// wordDisk returns what is kept on the disk; where nothing is, all is 0.
func (s *Server) wordDisk() DiskState {
	if st := s.diskState(); st != nil {
		return *st
	}
	return DiskState{}
}

func writeEnvi(_ *conn, b *bytes.Buffer) {
	host, _ := os.Hostname()
	name, home := "", ""
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	dir, _ := os.Getwd()
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\n", version, host)
	b.WriteString("java.version=none\n") // there are tools that look for it
	fmt.Fprintf(b, "go.version=%s\nos.name=%s\nos.arch=%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(b, "user.name=%s\nuser.home=%s\nuser.dir=%s\n", name, home, dir)
}

// resetStats begins packets and latencies anew.
func resetStats(c *conn, b *bytes.Buffer) {
	c.srv.stats.reset()
	b.WriteString("Server stats reset.\n")
}
