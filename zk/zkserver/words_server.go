// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
)

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

func writeSrvr(c *conn, b *bytes.Buffer) {
	fmt.Fprintf(b, "Zookeeper version: %s\n", version)
	writeServer(c.srv, b)
}

func writeServer(s *Server, b *bytes.Buffer) {
	t := s.stats.get()
	all := t.latency()
	least, avg, most := all.millis()
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", least, decimal(avg), most)
	fmt.Fprintf(b, "Received: %d\nSent: %d\n", t.received, t.sent)
	fmt.Fprintf(b, "Connections: %d\nOutstanding: %d\n", s.connCount(), s.outstanding())
	fmt.Fprintf(b, "Zxid: 0x%x\nMode: standalone\nNode count: %d\n", s.version.Load().Zxid(), s.nodeCount())
}

// decimal writes a number with one to four decimals.
func decimal(f float64) string {
	s := strconv.FormatFloat(math.Round(f*1e4)/1e4, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// clientPort returns the TCP port of a listener, or -1 if there is none.
func (s *Server) clientPort() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	port := -1
	for sv := range s.serves {
		if addr, ok := sv.listener.Addr().(*net.TCPAddr); ok {
			port = max(port, addr.Port)
		}
	}
	return port
}

func writeConf(c *conn, b *bytes.Buffer) {
	o := &c.srv.opts
	perHost := o.MaxConnectionsPerHost
	if perHost == math.MaxInt {
		perHost = 0 // ZooKeeper's word for unlimited
	}
	fmt.Fprintf(b, "clientPort=%d\nsecureClientPort=-1\n", c.srv.clientPort())
	dir, size := c.srv.dataDir()
	fmt.Fprintf(b, "dataDir=%s\ndataDirSize=%d\ndataLogDir=%s\ndataLogSize=%d\n", dir, size, dir, size)
	fmt.Fprintf(b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\n",
		o.TickTime.Milliseconds(), perHost, o.MinSessionTimeout.Milliseconds(), o.MaxSessionTimeout.Milliseconds())
	b.WriteString("clientPortListenBacklog=-1\nserverId=0\n")
}

func writeDirs(c *conn, b *bytes.Buffer) {
	_, size := c.srv.dataDir()
	fmt.Fprintf(b, "datadir_size: %d\nlogdir_size: %d\n", size, size)
}

// dataDir returns where data is kept and how many bytes it takes: nothing and 0
// in memory.
func (s *Server) dataDir() (dir string, size int64) {
	dir = s.opts.DataDir
	if dir == "" {
		return "", 0
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return dir, 0
	}
	for _, file := range list {
		// A file may be gone by now: then it takes nothing.
		if info, err := file.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return dir, size
}

func writeEnvi(_ *conn, b *bytes.Buffer) {
	host, _ := os.Hostname()
	name, home := "", ""
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	dir, _ := os.Getwd()
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\n", version, host)
	fmt.Fprintf(b, "go.version=%s\nos.name=%s\nos.arch=%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(b, "user.name=%s\nuser.home=%s\nuser.dir=%s\n", name, home, dir)
}

// resetStats begins packets and latencies anew.
func resetStats(c *conn, b *bytes.Buffer) {
	c.srv.stats.reset()
	b.WriteString("Server stats reset.\n")
}
