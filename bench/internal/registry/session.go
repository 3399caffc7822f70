// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

const (
	sessionTimeout = 30 * time.Second
	// patience is how long a reply may take before a measurement has failed.
	patience = time.Minute
	// maxReply is the longest reply that is believed.
	maxReply = 16 << 20
)

// A session speaks the protocol with next to no cost of its own. It belongs to
// one goroutine.
type session struct {
	nc   net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
	xid  int32
}

// dial opens a session.
func dial(ctx context.Context, addr string) (*session, error) { return dialSized(ctx, addr, 64<<10) }

// dialSized opens a session with a read buffer of that size.
func dialSized(ctx context.Context, addr string, size int) (*session, error) {
	s, err := connect(ctx, addr, size)
	if err != nil {
		return nil, err
	}
	if err := s.handshake(); err != nil {
		s.drop()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return s, nil
}

// connect dials, and opens no session yet.
func connect(ctx context.Context, addr string, size int) (*session, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &session{nc: nc, in: bufio.NewReaderSize(nc, size)}, nil
}

func (s *session) handshake() error {
	r := jute.ConnectRequest{TimeoutMillis: int32(sessionTimeout.Milliseconds()), Password: make([]byte, jute.PasswordSize), HasReadOnly: true} //nolint:gosec // short
	s.out = jute.AppendFrame(s.out, r.Append)
	if err := s.flush(); err != nil {
		return err
	}
	body, err := s.frame()
	if err != nil {
		return err
	}
	d := jute.NewDecoder(body)
	var resp jute.ConnectResponse
	resp.Decode(&d)
	if resp.SessionID == 0 {
		return errors.Join(errors.New("the server gave no session"), d.Err())
	}
	return nil
}

// drop closes the connection; the session expires.
func (s *session) drop() { s.nc.Close() }

// close ends the session.
func (s *session) close() error {
	defer s.drop()
	return s.call(jute.OpCloseSession, &jute.Empty{}, nil)
}

// begin appends the header of a request, whose length end completes.
func (s *session) begin(op jute.OpCode) (start int) {
	s.xid++
	start = len(s.out)
	h := jute.RequestHeader{Xid: s.xid, Op: op}
	s.out = h.Append(jute.AppendInt(s.out, 0))
	return start
}

func (s *session) end(start int) {
	binary.BigEndian.PutUint32(s.out[start:], uint32(len(s.out)-start-4)) //nolint:gosec // short
}

// flush sends what was appended.
func (s *session) flush() error {
	err := s.nc.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = s.nc.Write(s.out)
	}
	s.out = s.out[:0]
	return err
}

// frame returns the next frame, which is valid until the next one.
func (s *session) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(s.in, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n > maxReply {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	if cap(s.body) < n {
		s.body = make([]byte, n)
	}
	s.body = s.body[:n]
	_, err := io.ReadFull(s.in, s.body)
	return s.body, err
}

// reply reads the reply of the request with that xid.
func (s *session) reply(xid int32) (jute.ReplyHeader, []byte, error) {
	var h jute.ReplyHeader
	body, err := s.frame()
	if err != nil {
		return h, nil, err
	}
	d := jute.NewDecoder(body)
	h.Decode(&d)
	switch {
	case d.Err() != nil:
		return h, nil, d.Err()
	case h.Xid != xid:
		return h, nil, fmt.Errorf("a reply with the xid %d, want %d", h.Xid, xid)
	case h.Err != 0:
		return h, nil, fmt.Errorf("the server answered %v", h.Err)
	}
	return h, d.Rest(), nil
}

// call makes one request; a nil resp has no body.
func (s *session) call(op jute.OpCode, r, resp jute.Record) error {
	start := s.begin(op)
	s.out = r.Append(s.out)
	s.end(start)
	if err := s.flush(); err != nil {
		return err
	}
	_, body, err := s.reply(s.xid)
	if err != nil || resp == nil {
		return err
	}
	d := jute.NewDecoder(body)
	resp.Decode(&d)
	return d.Err()
}

func (s *session) read(path string) error {
	return s.call(jute.OpGetData, &jute.PathWatchRequest{Path: path}, &jute.GetDataResponse{})
}

func (s *session) create(path string, data []byte) error {
	return s.call(jute.OpCreate, &jute.CreateRequest{Path: path, Data: data, ACL: jute.WorldAnyone()}, nil)
}
