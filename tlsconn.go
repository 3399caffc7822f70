// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// recordsAtOnce is how much of what TLS writes and reads goes through the socket at
// once. TLS by itself asks the socket for each record of 16 KiB.
const recordsAtOnce = 64 << 10

// A secureConn is a connection with TLS whose records go through the socket
// together: those of one Write, and those that have come.
type secureConn struct {
	*tls.Conn
	records *records
}

// secureWith makes TLS of conn; side is tls.Client or tls.Server.
func secureWith(side func(net.Conn, *tls.Config) *tls.Conn, conn net.Conn, config *tls.Config) *secureConn {
	r := &records{Conn: conn, in: bufio.NewReaderSize(conn, recordsAtOnce)}
	return &secureConn{Conn: side(r, config), records: r}
}

// Write implements [net.Conn]. When it fails, bytes that it says were written may
// not have been; those that it says were not surely were not.
func (c *secureConn) Write(b []byte) (int, error) {
	c.records.gather()
	n, err := c.Conn.Write(b)
	if failed := c.records.release(); err == nil {
		err = failed
	}
	return n, err
}

// Close implements [net.Conn]. Behind a write that is held up there is no last
// word, as with [tls.Conn].
func (c *secureConn) Close() error {
	if c.records.writing.Load() {
		return c.records.Close()
	}
	return c.Conn.Close()
}

// records is the socket as TLS sees it. One goroutine reads; those that write are
// one in secureConn.Write and any with a word of TLS itself.
type records struct {
	net.Conn
	in      *bufio.Reader
	writing atomic.Bool // release is at it

	mu        sync.Mutex // guards what follows, and the order of writes
	gathering bool
	out       []byte
}

// NetConn returns the connection below, for those that ask the socket.
func (r *records) NetConn() net.Conn { return r.Conn }

func (r *records) Read(b []byte) (int, error) { return r.in.Read(b) }

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gathering {
		return r.Conn.Write(b)
	}
	r.out = append(r.out, b...)
	return len(b), nil
}

// gather holds back what is written from here on.
func (r *records) gather() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gathering = true
}

// release writes what was held back.
func (r *records) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gathering = false
	if len(r.out) == 0 {
		return nil
	}
	r.writing.Store(true)
	defer r.writing.Store(false)
	_, err := r.Conn.Write(r.out)
	if r.out = r.out[:0]; cap(r.out) > 2*recordsAtOnce {
		r.out = nil // a large one was an exception
	}
	return err
}
