// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"container/list"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// maxReadsBehind is how many reads of one connection may travel behind its
// writes at a time. The owner cannot wait for a client that does not take
// their replies; its own reader can.
const maxReadsBehind = 16

// turn is how many requests a connection handles until others have theirs: a
// client that waits for each answer shall not wait for all that many others have
// pipelined.
const turn = 64

// A conn is one connection. Its reader goroutine runs serve and owns what is not
// marked otherwise.
type conn struct {
	srv     *Server
	nc      net.Conn
	host    string
	silent  *list.Element // in Server.silent, guarded by Server.mu
	in      frameReader
	out     outbox
	hooks   *hook.Slot // of tests; nil: none
	session *session
	who     atomic.Pointer[[]tree.Identity] // replaced by the reader
	before  *conn                           // that had the session and may not be drained; nil: none
	drained chan struct{}                   // closed when everything asked on it is answered, and nothing follows

	burst    []item  // requests for the owner, in order, not handed over yet
	bytes    int     // of the burst
	behind   int     // reads in the burst or with the owner since it was idle last
	watching bool    // it may have watches
	closing  bool    // the burst holds the end of the session
	large    bool    // the buffer of requests is greater than it usually is
	rd       reading // the request at work; here, for it would be allocated each time
	readAt   int64   // session time of the last read
	touched  bool    // the session, since the last read
	sasl     int     // requests of that operation
	inline   int64   // requests answered since the last read
	last     reply   // the last of them
	tally    tally   // since the last read

	// The connection's half of the watch table, see watchTable.
	data, child map[string]*watch
	watchBytes  int64 // of them, guarded as they are
	greedy      bool  // they became too many

	// Of the owner.
	told    uint64 // the last round of the watch table that had something for it
	mayKnow bool   // ... which it may know
	round   uint64 // the last batch that sent it something

	since   int64   // ms since 1970
	traffic traffic // guarded by out.mu
}

// cutAll closes the connections of a Serve; no more are added.
func (s *Server) cutAll(sv *serve) {
	s.mu.Lock()
	sv.stopping = true
	var conns []*conn
	for c, owner := range s.conns {
		if owner == sv {
			conns = append(conns, c)
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.out.kill()
	}
}

func (c *conn) identities() []tree.Identity { return *c.who.Load() }

// serve runs the connection until it ends.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.out.write)
	known := c.handshake()
	c.srv.heard(c)
	if known {
		c.awaitDrained()
		c.requests()
		c.settle()
	}
	close(c.drained)
	c.hangUp()
	c.leave()
	writer.Wait()
}

// awaitDrained waits until what the session asked on its connection before is
// done: a client that lost it wants to see what became of that. It does not take
// longer than the owner, for that connection is closed.
func (c *conn) awaitDrained() {
	if c.before != nil {
		<-c.before.drained
		c.before = nil
	}
}

const (
	// lingerTime and lingerBytes bound how long the rest of a client's input is
	// read away after the last reply. Closing with input unread would reset the
	// connection, and the client could lose that reply.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// hangUp sends what waits and closes the connection.
func (c *conn) hangUp() {
	c.nc.SetWriteDeadline(time.Now().Add(lingerTime)) //nolint:errcheck // it shows in the next write
	c.out.awaitSent()
	if tc, ok := c.nc.(interface{ CloseWrite() error }); ok && tc.CloseWrite() == nil {
		c.nc.SetReadDeadline(time.Now().Add(lingerTime)) //nolint:errcheck // it shows in the next read
		io.CopyN(io.Discard, c.nc, lingerBytes)          //nolint:errcheck // what comes is thrown away
	}
	c.out.kill()
	c.nc.Close()
}

// requests reads and answers requests until the connection ends.
func (c *conn) requests() {
	c.rd.conn = c
	c.readAt = c.srv.sessionNow()
	for {
		ok := c.drain()
		// All that has arrived goes to the owner at once, and its answers out in one
		// write, before anything is waited for.
		c.submit()
		c.receiving()
		c.count()
		c.srv.shed()
		c.out.flush()
		if !ok || c.closing {
			return
		}
		// Who does not read, or asks faster than is answered, is not read either: TCP
		// passes that on.
		c.out.await(func() bool { return len(c.out.buf) <= softOut && c.out.pending < maxPending })
		if c.in.fill() != nil {
			return
		}
		c.readAt, c.touched = c.srv.sessionNow(), false
	}
}

// receiving makes room for what is still to come, and notes if that is much.
func (c *conn) receiving() {
	c.in.makeRoom()
	if size := len(c.in.buf); size > busyRead || c.large {
		c.large = size > busyRead
		c.out.receiving(size, c.tally.received > 0)
	}
}

// drain handles the requests that have arrived, and reports whether the
// connection goes on.
func (c *conn) drain() bool {
	for n := 1; ; n++ {
		if n%turn == 0 {
			runtime.Gosched()
		}
		payload, ok, err := c.in.next()
		if err != nil {
			c.srv.stats.tooLarge.Add(1)
			c.srv.opts.Logger.Debug("closing a connection", slog.String("address", addressOf(c.nc.RemoteAddr())), slog.Any("error", err))
			c.srv.refused(c, RefusedInfo{Reason: RefusedLimit, Limit: "MaxPacketBytes", Err: err})
			return false
		}
		if !ok {
			return true
		}
		if len(payload) < jute.RequestHeaderSize || !c.request(payload) {
			return false
		}
	}
}

// request handles one request, and reports whether the connection goes on.
func (c *conn) request(payload []byte) bool {
	c.tally.received++
	c.tally.bytesReceived += int64(lengthSize + len(payload))
	c.rd.d = jute.NewDecoder(payload)
	var rh jute.RequestHeader
	rh.Decode(&c.rd.d)
	h := handlerOf(rh.Op)
	c.last.handler = h
	c.touch(rh.Op)
	if f := c.hooks.Get(); f != nil {
		return c.ask(f, h, rh, payload)
	}
	return c.dispatch(h, rh, len(payload))
}

// touch notes a sign of life of the session, once for all that was read together. A
// request is one, whatever becomes of it, unless it authenticates: who goes no
// further than that keeps no session. Source: ZooKeeperServer.processPacket.
func (c *conn) touch(op jute.OpCode) {
	if !c.touched && op != jute.OpAuth && op != jute.OpSASL {
		c.touched = true
		c.session.touched.Store(c.readAt)
	}
}

// dispatch carries out the request in c.rd, or passes it to the owner, and reports
// whether the connection goes on.
func (c *conn) dispatch(h *handler, rh jute.RequestHeader, size int) bool {
	switch {
	case h == nil:
		return c.refuse(rh.Xid)
	case h.local != nil:
		return h.local(c, rh.Xid)
	case h.read != nil:
		c.read(h, rh.Xid)
		return true
	}
	c.write(h, rh, size)
	return true
}

// write sends a write to the owner, or answers that it cannot be decoded.
func (c *conn) write(h *handler, rh jute.RequestHeader, size int) {
	it := c.enqueue(h, rh.Xid)
	it.req.Op, it.req.Who = rh.Op, c.identities()
	if err := h.write(&c.rd.d, &it.req); err != 0 {
		// The owner has no use for it: it is answered here, behind what came before.
		*it = item{}
		c.burst = c.burst[:len(c.burst)-1]
		c.bytes -= itemCost
		c.settle()
		c.answer(rh.Xid, c.srv.version.Load().Zxid(), err)
		return
	}
	c.bytes += size + len(it.req.Ops)*requestCost
	c.closing = c.closing || rh.Op == jute.OpCloseSession
}

// enqueue adds an item to the burst and returns it to be completed.
func (c *conn) enqueue(h *handler, xid int32) *item {
	if len(c.burst) >= maxBurst {
		c.submit()
		c.out.await(func() bool { return c.out.pending < maxPending })
	}
	c.burst = append(c.burst, item{conn: c, handler: h, xid: xid, readAt: c.readAt})
	c.bytes += itemCost
	it := &c.burst[len(c.burst)-1]
	it.req.Session = c.session.id
	return it
}

// read answers a read at once, if no request of this connection is on its way to
// the owner, or sends it after them.
func (c *conn) read(h *handler, xid int32) {
	c.watching = c.watching || h.watches || h.flag && wantsWatch(c.rd.d)
	if len(c.burst) == 0 && !h.ordered && c.readNow(h, xid) {
		return
	}
	if c.behind >= maxReadsBehind {
		// Once all is answered, it need not go behind anything.
		c.settle()
		if !h.ordered && c.readNow(h, xid) {
			return
		}
	}
	c.behind++
	it := c.enqueue(h, xid)
	it.body = cloneBuffer(c.rd.d.Rest())
	c.bytes += len(it.body)
}

// readNow answers a read from the published version, unless requests of this
// connection are with the owner.
func (c *conn) readNow(h *handler, xid int32) bool {
	c.lock()
	if c.out.pending > 0 { // only the reader adds to it, so that 0 stays 0
		c.unlock()
		return false
	}
	c.behind = 0
	c.rd.view = c.srv.version.Load()
	full := false
	if c.out.open() {
		before := len(c.out.buf)
		c.out.buf = appendRead(c.out.buf, h, xid, &c.rd)
		c.replied(reply{h, xid, c.rd.view.Zxid()}, len(c.out.buf)-before)
		full = len(c.out.buf) > softOut
	}
	c.unlock()
	if full {
		c.srv.shed()
		c.out.awaitRoom()
	}
	return true
}

// wantsWatch reads the flag behind the path of a read.
func wantsWatch(d jute.Decoder) bool {
	d.Buffer()
	return d.Bool()
}

// lock takes the outbox, and before it a share of pub if the connection may have
// watches: then nothing is published between reading a version and queueing
// what was read.
func (c *conn) lock() {
	if c.watching {
		c.srv.pub.RLock()
	}
	c.out.mu.Lock()
}

func (c *conn) unlock() {
	c.out.mu.Unlock()
	if c.watching {
		c.srv.pub.RUnlock()
	}
}

// submit hands the burst to the owner.
func (c *conn) submit() {
	if len(c.burst) == 0 {
		return
	}
	rest, each, idle := c.burst, c.bytes/len(c.burst), false
	for len(rest) > 0 {
		// Counted first: the owner may answer before push returns.
		c.out.add(len(rest))
		n, open := c.srv.queue.push(rest, each, idle)
		if n < len(rest) {
			// The queue is crowded. Once nothing of this connection is there, it gets
			// in a few, however many others wait: everybody comes forward.
			c.out.add(n - len(rest))
			c.out.awaitIdle()
		}
		if !open {
			break
		}
		rest, idle = rest[n:], true
	}
	clear(c.burst)
	c.burst, c.bytes = c.burst[:0], 0
}

// settle waits until everything that was asked before is answered.
func (c *conn) settle() {
	c.submit()
	c.out.awaitIdle()
	c.behind = 0
}

// answer queues a reply without a body, in the order of the requests if settle
// was called before.
func (c *conn) answer(xid int32, zxid int64, err jute.ErrCode) {
	c.out.mu.Lock()
	if c.out.open() {
		c.out.buf = appendReply(c.out.buf, xid, zxid, err)
		c.replied(reply{c.last.handler, xid, zxid}, replySize)
	}
	c.out.mu.Unlock()
}

// replySize is the length of a reply without a body.
const replySize = lengthSize + jute.ReplyHeaderSize

// refuse answers what is not an operation, and ends the connection.
func (c *conn) refuse(xid int32) bool {
	c.settle()
	c.answer(xid, -1, jute.ErrUnimplemented)
	return false
}
