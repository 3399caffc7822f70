// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A stream is what one session asks for, request by request, with nothing
// allocated for each.
type stream interface {
	op() jute.OpCode
	// next appends the body of a request, or returns false if there are none left.
	next(b []byte) ([]byte, bool)
	// check judges the reply to the oldest request that was not judged.
	check(h jute.ReplyHeader, body []byte) error
}

// pipelined returns a worker that keeps depth requests of a stream in flight.
func pipelined(s *session, st stream, depth int) worker {
	return func(l *lap) error {
		oldest := s.xid + 1
		more := true
		for {
			for more && int(s.xid-oldest)+1 < depth && !l.stop() {
				start := s.begin(st.op())
				if s.out, more = st.next(s.out); !more {
					s.out = s.out[:start]
					s.xid--
					break
				}
				s.end(start)
			}
			if oldest > s.xid {
				return nil
			}
			if len(s.out) > 0 {
				if err := s.flush(); err != nil {
					return err
				}
			}
			n := int64(0)
			for first := true; first || s.in.Buffered() > 0 && oldest <= s.xid; first = false {
				h, body, err := s.reply(oldest)
				if err == nil {
					err = st.check(h, body)
				}
				if err != nil {
					return fmt.Errorf("operation %d: %w", st.op(), err)
				}
				oldest++
				n++
			}
			l.done.Add(n)
		}
	}
}

// constant asks for the same and gets the same.
type constant struct {
	code    jute.OpCode
	request []byte
	want    []byte
}

// newConstant asks once, for check to judge the answer, which all others must
// equal.
func newConstant(s *session, code jute.OpCode, r, resp jute.Record, check func() error) (*constant, error) {
	if err := s.call(code, r, resp); err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	return &constant{code: code, request: r.Append(nil), want: resp.Append(nil)}, nil
}

func (c *constant) op() jute.OpCode              { return c.code }
func (c *constant) next(b []byte) ([]byte, bool) { return append(b, c.request...), true }

func (c *constant) check(_ jute.ReplyHeader, body []byte) error {
	if !bytes.Equal(body, c.want) {
		return fmt.Errorf("got the reply %x, want %x", body, c.want)
	}
	return nil
}

// sets changes the data of a node that nobody else changes.
type sets struct {
	request jute.SetDataRequest
	version int32 // after the last one judged
}

func (t *sets) op() jute.OpCode              { return jute.OpSetData }
func (t *sets) next(b []byte) ([]byte, bool) { return t.request.Append(b), true }

func (t *sets) check(h jute.ReplyHeader, body []byte) error {
	d := jute.NewDecoder(body)
	var stat jute.Stat
	stat.Decode(&d)
	t.version++
	if d.Err() != nil || stat.Version != t.version || stat.Mzxid != h.Zxid || int(stat.DataLength) != len(t.request.Data) {
		return fmt.Errorf("got %+v with zxid %d, %v; want version %d", stat, h.Zxid, d.Err(), t.version) //nolint:errorlint // it may be nil
	}
	return nil
}

// names are paths below a parent that count up.
type names struct {
	parent string
	last   atomic.Int64 // the number taken last
	limit  int64        // 0: there is none
}

func (n *names) take() (int64, bool) {
	i := n.last.Add(1)
	return i, n.limit == 0 || i <= n.limit
}

// path appends a path.
func (n *names) path(b []byte, i int64) []byte {
	b = append(append(b, n.parent...), "/n"...)
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], i, 10)
	for range 10 - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

// changes creates nodes of one name after the other, or deletes them.
type changes struct {
	code   jute.OpCode
	names  *names
	tail   []byte  // of the request, behind the path
	flying []int64 // numbers of the requests not judged
	path   []byte
}

// acl is the tail of creates that anybody may do everything with.
var acl = jute.AppendACLs(nil, jute.WorldAnyone())

func creates(n *names, data []byte) *changes {
	tail := append(jute.AppendBuffer(nil, data), acl...)
	return &changes{code: jute.OpCreate, names: n, tail: jute.AppendInt(tail, jute.FlagPersistent)}
}

func deletes(n *names) *changes {
	return &changes{code: jute.OpDelete, names: n, tail: jute.AppendInt(nil, jute.AnyVersion)}
}

func (c *changes) op() jute.OpCode { return c.code }

func (c *changes) next(b []byte) ([]byte, bool) {
	i, ok := c.names.take()
	if !ok {
		return b, false
	}
	c.flying = append(c.flying, i)
	c.path = c.names.path(c.path[:0], i)
	return append(jute.AppendBuffer(b, c.path), c.tail...), true
}

func (c *changes) check(_ jute.ReplyHeader, body []byte) error {
	i := c.flying[0]
	c.flying = c.flying[:copy(c.flying, c.flying[1:])]
	if c.code == jute.OpDelete {
		if len(body) > 0 {
			return fmt.Errorf("delete: got %d bytes behind the header, want none", len(body))
		}
		return nil
	}
	c.path = c.names.path(c.path[:0], i)
	if d := jute.NewDecoder(body); !bytes.Equal(d.Buffer(), c.path) {
		return fmt.Errorf("create: got %q, want %q", body, c.path)
	}
	return nil
}

// sequences creates ephemeral sequential nodes.
type sequences struct {
	request []byte
	prefix  []byte
	last    []byte // of the paths
}

func newSequences(parent string, data []byte) *sequences {
	r := jute.CreateRequest{Path: parent + "/s-", Data: data, ACL: jute.WorldAnyone(), Flags: jute.FlagEphemeralSequential}
	return &sequences{request: r.Append(nil), prefix: []byte(r.Path)}
}

func (q *sequences) op() jute.OpCode              { return jute.OpCreate }
func (q *sequences) next(b []byte) ([]byte, bool) { return append(b, q.request...), true }

var errSequence = errors.New("the path of a sequential node does not follow the one before")

func (q *sequences) check(_ jute.ReplyHeader, body []byte) error {
	d := jute.NewDecoder(body)
	path := d.Buffer()
	if !bytes.HasPrefix(path, q.prefix) || len(path) != len(q.prefix)+10 || bytes.Compare(path, q.last) <= 0 {
		return fmt.Errorf("%w: %q follows %q", errSequence, path, q.last)
	}
	q.last = append(q.last[:0], path...)
	return nil
}
