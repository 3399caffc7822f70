// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall/tlsfiles"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

const (
	readBufferBytes   = 32 << 10
	maxHandshakeBytes = 1 << 10
	// What a batch of requests is cut at: enough to fill a network's path, little
	// enough to be copied at once.
	batchBytes = 64 << 10
)

// errSilent is a server that accepted the connection and closed it without a
// byte.
var errSilent = errors.New("zk: the server closed the connection without answering the handshake")

// A conn is one connection. One goroutine reads, one writes.
type conn struct {
	net.Conn
	r *bufio.Reader
	// idle is how long a read may wait for a byte; 0: the deadline is set
	// elsewhere.
	idle time.Duration
}

// Read renews the deadline before each read: what counts is that bytes arrive.
func (cn *conn) Read(b []byte) (int, error) {
	if cn.idle > 0 {
		cn.SetReadDeadline(time.Now().Add(cn.idle)) //nolint:errcheck // of one that has ended, which the read tells better
	}
	n, err := cn.Conn.Read(b)
	if cn.idle > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("zk: nothing was received for %v", cn.idle)
	}
	return n, err
}

// readFrame reads a frame of at most limit bytes. The result is the caller's.
func (cn *conn) readFrame(limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(cn.r, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:])) //nolint:gosec // two's complement is the encoding
	if n < 0 || int(n) > limit {
		return nil, fmt.Errorf("%w: a frame of %d bytes was announced, %d are accepted", ErrProtocol, n, limit)
	}
	// Memory follows what has come: a length is only a promise.
	frame := make([]byte, min(int(n), readBufferBytes))
	for have := 0; ; {
		if _, err := io.ReadFull(cn.r, frame[have:]); err != nil {
			return nil, noEOF(err)
		}
		if have = len(frame); have == int(n) {
			return frame, nil
		}
		frame = append(frame, make([]byte, min(int(n)-have, have))...) //nolint:makezero // it is cut to length
	}
}

// noEOF makes the end of input in the middle of something what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// dial connects to a server and shakes hands. The connection, where there is
// one, must be closed by the caller. ctx bounds it all.
func (c *Client) dial(ctx context.Context, server string, req jute.ConnectRequest) (*conn, jute.ConnectResponse, error) {
	var resp jute.ConnectResponse
	raw, err := c.opts.Dial(ctx, "tcp", server)
	if err != nil {
		return nil, resp, err
	}
	stop := context.AfterFunc(ctx, func() {
		raw.Close() // of a connection that was given up
	})
	defer stop()
	secured, err := c.secure(ctx, raw, server)
	cn := &conn{Conn: secured}
	cn.r = bufio.NewReaderSize(cn, readBufferBytes)
	if err == nil {
		resp, err = cn.handshake(req)
	}
	switch {
	case errors.Is(err, errSilent) && c.opts.TLS == nil && req.SessionID == 0:
		// With a session it is more probable that the client has seen too much.
		err = fmt.Errorf("%w (one that speaks TLS alone does that: use TLS then)", err)
	case err != nil:
	case resp.TimeoutMillis <= 0:
		err = errExpired
	case resp.SessionID == 0:
		err = fmt.Errorf("%w: handshake: the session id is 0", ErrProtocol)
	default:
		err = c.authenticate(cn)
	}
	if err != nil && ctx.Err() != nil { // which closed the connection
		err = fmt.Errorf("zk: no answer to the handshake within %v: %w", c.opts.ConnectTimeout, ctx.Err())
	}
	if err != nil {
		raw.Close() // err says more
		return nil, resp, err
	}
	return cn, resp, nil
}

// secure returns the connection for what follows: with Options.TLS one of TLS,
// once its own handshake is done. The connection is left open where that fails.
func (c *Client) secure(ctx context.Context, raw net.Conn, server string) (net.Conn, error) {
	config := c.opts.TLS
	if config == nil {
		return raw, nil
	}
	if config.ServerName == "" {
		host, _, _ := net.SplitHostPort(server) // New has checked it
		config = tlsfiles.ForHost(config, host)
	}
	conn := tls.Client(raw, config)
	err := conn.HandshakeContext(ctx)
	var noTLS tls.RecordHeaderError
	switch {
	case err == nil:
		return conn, nil
	case errors.As(err, &noTLS), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("zk: TLS: %w (one that does not speak TLS on this port does that: give its port for TLS)", err)
	}
	return nil, fmt.Errorf("zk: TLS: %w", err)
}

func (cn *conn) handshake(req jute.ConnectRequest) (resp jute.ConnectResponse, err error) {
	_, err = cn.Write(jute.AppendFrame(nil, req.Append))
	if err == nil {
		_, err = cn.r.Peek(1) // with a byte at hand the server is not silent
	}
	var alert *net.OpError
	switch {
	case err == nil:
	case errors.As(err, &alert) && alert.Op == "remote error":
		// TLS tells here that it does not like our certificate, or the want of one:
		// a refusal, and no silence.
		return resp, fmt.Errorf("zk: TLS: %w", err)
	default:
		return resp, fmt.Errorf("%w: %w", errSilent, err)
	}
	frame, err := cn.readFrame(maxHandshakeBytes)
	if err != nil {
		return resp, fmt.Errorf("zk: handshake: %w", noEOF(err))
	}
	d := jute.NewDecoder(frame)
	resp.Decode(&d)
	if err := d.Err(); err != nil {
		return resp, fmt.Errorf("%w: handshake: %w", ErrProtocol, err)
	}
	return resp, nil
}

// authenticate presents the identities and waits for the answers. No watch is
// armed yet and no request written, so nothing else can come.
func (c *Client) authenticate(cn *conn) error {
	var b []byte
	for _, a := range c.opts.Auths {
		req := jute.AuthRequest{Scheme: a.Scheme, Auth: a.Data}
		b = append(b, encode(jute.OpAuth, jute.XidAuth, &req, 64+len(a.Data))...)
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := cn.Write(b); err != nil {
		return err
	}
	for _, a := range c.opts.Auths {
		h, _, err := cn.readReply(maxHandshakeBytes)
		switch {
		case err != nil:
			return fmt.Errorf("zk: authentication: %w", noEOF(err))
		case h.Xid != jute.XidAuth:
			return fmt.Errorf("%w: xid %d in the place of the answer to an authentication", ErrProtocol, h.Xid)
		case h.Err != jute.ErrOk:
			return fmt.Errorf("%w: scheme %q: %w", ErrAuthFailed, a.Scheme, errOf(h.Err))
		}
	}
	return nil
}

// readReply reads a frame and its header. The body is the caller's.
func (cn *conn) readReply(limit int) (h jute.ReplyHeader, body []byte, err error) {
	frame, err := cn.readFrame(limit)
	if err != nil {
		return h, nil, err
	}
	d := jute.NewDecoder(frame)
	h.Decode(&d)
	if err := d.Err(); err != nil {
		return h, nil, fmt.Errorf("%w: reply header: %w", ErrProtocol, err)
	}
	return h, d.Rest(), nil
}

// write sends what is queued in batches, and a ping whenever a third of the
// session timeout passed without anything to send. It ends when ended is closed
// or a write fails; a failed write closes the connection so that the reader
// learns of it.
func (c *Client) write(cn *conn, pingEvery time.Duration, ended <-chan struct{}) error {
	ping := encode(jute.OpPing, jute.XidPing, &jute.Empty{}, 16)
	idle := time.NewTimer(pingEvery)
	defer idle.Stop()
	var b []byte
	for {
		c.mu.Lock()
		b = c.take(b[:0], batchBytes)
		c.mu.Unlock()
		if len(b) == 0 {
			select {
			case <-ended:
				return nil
			case <-c.wake:
				continue
			case <-idle.C:
				b = append(b, ping...)
			}
		}
		if _, err := cn.Write(b); err != nil {
			cn.Close() // err says more
			return err
		}
		idle.Reset(pingEvery)
		if cap(b) > 4*batchBytes {
			b = nil // one large request need not be remembered
		}
	}
}
