// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// Sockets returns what nobody can be better than who reads and writes sockets as
// Go does: a server, started by a command that calls ServeSockets, that answers
// reads with bytes made before. It keeps nothing and checks nothing.
func Sockets(command ...string) System {
	return System{
		Name: "sockets alone", Measure: "a server in Go that answers each read with bytes made before, and keeps nothing",
		command: command, bare: true,
	}
}

// mimic is the state of ServeSockets: the replies of the nodes that a Bench
// prepares, and the connections that watch.
type mimic struct {
	data, stat, short, empty []byte // bodies
	notice                   []byte // a frame

	sessions atomic.Int64
	mu       sync.Mutex // guards what follows
	watchers map[net.Conn]struct{}
}

// ServeSockets listens on an address until ctx ends.
func ServeSockets(ctx context.Context, addr string) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { l.Close() })
	m := newMimic()
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		serving.Go(func() {
			defer context.AfterFunc(ctx, func() { nc.Close() })()
			if err := m.serve(nc); err != nil && !errors.Is(err, errEnd) {
				fmt.Fprintf(os.Stderr, "closing the connection of %v: %v\n", nc.RemoteAddr(), err)
			}
		})
	}
}

func newMimic() *mimic {
	stat := jute.Stat{DataLength: dataSize}
	list := jute.GetChildren2Response{Stat: jute.Stat{NumChildren: shortList}}
	for i := range shortList {
		list.Children = append(list.Children, namePrefix+string(rune('0'+i)))
	}
	notice := func(b []byte) []byte {
		h := jute.ReplyHeader{Xid: jute.XidNotification, Zxid: -1}
		e := jute.WatcherEvent{Type: jute.EventNodeChildrenChanged, State: jute.StateSyncConnected, Path: watchPath}
		return e.Append(h.Append(b))
	}
	return &mimic{
		data: (&jute.GetDataResponse{Data: payload(dataSize), Stat: stat}).Append(nil),
		stat: stat.Append(nil), short: list.Append(nil), empty: (&jute.GetChildren2Response{}).Append(nil),
		notice: jute.AppendFrame(nil, notice), watchers: map[net.Conn]struct{}{},
	}
}

var errEnd = errors.New("the session ends")

// serve reads what has arrived, answers all of it, and writes the answers at
// once, until the client goes or asks for what there is no answer to.
func (m *mimic) serve(nc net.Conn) error {
	defer func() {
		m.watch(nc, false)
		nc.Close()
	}()
	answer := m.open
	in, out := make([]byte, 64<<10), []byte(nil)
	for w := 0; ; {
		n, err := nc.Read(in[w:])
		if err != nil {
			return errEnd
		}
		w += n
		r := 0
		for w-r >= 4 {
			size := int(binary.BigEndian.Uint32(in[r:]))
			if size > len(in)-4 {
				return fmt.Errorf("a frame of %d bytes", size)
			}
			if w-r < 4+size {
				break
			}
			if out, err = answer(nc, in[r+4:r+4+size], out); err != nil {
				break
			}
			r += 4 + size
			answer = m.answer
		}
		w = copy(in, in[r:w])
		if _, wErr := nc.Write(out); wErr != nil {
			return errEnd
		}
		if err != nil {
			return err
		}
		out = out[:0]
	}
}

// open answers a handshake.
func (m *mimic) open(_ net.Conn, payload, out []byte) ([]byte, error) {
	d := jute.NewDecoder(payload)
	var r jute.ConnectRequest
	r.Decode(&d)
	resp := jute.ConnectResponse{
		TimeoutMillis: r.TimeoutMillis, SessionID: m.sessions.Add(1), Password: make([]byte, jute.PasswordSize), HasReadOnly: r.HasReadOnly,
	}
	return jute.AppendFrame(out, resp.Append), d.Err()
}

// answer appends the reply of a request, and tells the watchers what it changes.
func (m *mimic) answer(nc net.Conn, payload, out []byte) ([]byte, error) {
	d := jute.NewDecoder(payload)
	var h jute.RequestHeader
	h.Decode(&d)
	var body []byte
	var err error
	switch h.Op {
	case jute.OpGetData:
		body = m.data
	case jute.OpExists:
		body = m.stat
	case jute.OpGetChildren2:
		body = m.empty
		if path := d.Buffer(); string(path) == shortPath {
			body = m.short
		} else if d.Bool() {
			m.watch(nc, true)
		}
	case jute.OpCreate:
		path := d.Buffer()
		body = jute.AppendInt(nil, int32(len(path))) //nolint:gosec // short
		body = append(body, path...)
		if strings.HasPrefix(string(path), watchPath+"/") {
			err = m.tell()
		}
	case jute.OpCloseSession:
		err = errEnd
	case jute.OpDelete, jute.OpPing:
	default:
		err = fmt.Errorf("no answer to operation %v", h.Op)
	}
	reply := jute.ReplyHeader{Xid: h.Xid, Zxid: 1}
	out = jute.AppendInt(out, int32(jute.ReplyHeaderSize+len(body))) //nolint:gosec // short
	return append(reply.Append(out), body...), errors.Join(err, d.Err())
}

func (m *mimic) watch(nc net.Conn, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on {
		m.watchers[nc] = struct{}{}
	} else {
		delete(m.watchers, nc)
	}
}

// tell notifies who watches, once.
func (m *mimic) tell() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for nc := range m.watchers {
		if _, err := nc.Write(m.notice); err != nil {
			return err
		}
	}
	clear(m.watchers)
	return nil
}
