// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package memnet

import (
	"errors"
	"net"
	"sync"
	"time"
)

// ErrCut is what reads and writes return on a connection that was cut; it
// stands for a reset by the peer.
var ErrCut = errors.New("memnet: connection reset")

// DefaultCapacity is how many bytes one direction holds before a Write waits,
// like a socket's buffers.
const DefaultCapacity = 256 << 10

// A Conn is one end of a connection.
type Conn struct {
	in, out       *half
	local, remote Addr
	once          sync.Once
	onClose       func()
}

// Pipe returns both ends of a connection. Unlike net.Pipe it has buffers.
func Pipe() (a, b *Conn) { return PipeSize(DefaultCapacity) }

// PipeSize is [Pipe] with buffers of capacity bytes each way, at least 1.
func PipeSize(capacity int) (a, b *Conn) {
	ab, ba := newHalf(max(capacity, 1)), newHalf(max(capacity, 1))
	return &Conn{in: ba, out: ab, local: "pipe-a", remote: "pipe-b"},
		&Conn{in: ab, out: ba, local: "pipe-b", remote: "pipe-a"}
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn. The count is exact, also beside an error: bytes
// beyond it never reach the peer.
func (c *Conn) Write(b []byte) (int, error) {
	n, err, cutNow := c.out.write(b)
	if cutNow {
		c.in.cut(true)
	}
	return n, err
}

// Close implements net.Conn. What was written still arrives; the peer then reads
// io.EOF, and its writes fail.
func (c *Conn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	c.once.Do(func() {
		if c.onClose != nil {
			c.onClose()
		}
	})
	return nil
}

// CloseWrite ends this direction alone, like (*net.TCPConn).CloseWrite.
func (c *Conn) CloseWrite() error {
	c.out.closeWrite()
	return nil
}

// Block holds back what this end writes: it is accepted up to the buffer's
// capacity and does not arrive, nor does the end of the connection.
func (c *Conn) Block() { c.out.setBlocked(true) }

// Unblock lets everything through that [Conn.Block] held back.
func (c *Conn) Unblock() { c.out.setBlocked(false) }

// SetDelay makes what this end writes from now on arrive d later.
func (c *Conn) SetDelay(d time.Duration) { c.out.setDelay(d) }

// Cut kills the connection both ways. Bytes that had arrived, and were not held
// back, can still be read by the peer; then both ends get [ErrCut].
func (c *Conn) Cut() {
	c.out.cut(false)
	c.in.cut(true)
}

// CutAfter lets n more bytes of this end's writes through; the attempt to write
// beyond them cuts the connection.
func (c *Conn) CutAfter(n int) { c.out.setBudget(n) }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// Addr is an address of this package.
type Addr string

// Network returns "mem".
func (Addr) Network() string { return "mem" }

// String returns the address.
func (a Addr) String() string { return string(a) }

var (
	_ net.Conn = (*Conn)(nil)
	_ net.Addr = Addr("")
)
