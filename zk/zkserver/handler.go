// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"encoding/binary"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// A handler carries out one operation: a write, a read, or what concerns the
// connection alone. Exactly one of write, read and local is set.
type handler struct {
	// write decodes a request. What it keeps must not alias the input.
	write func(d *jute.Decoder, r *tree.Request) jute.ErrCode
	// reply appends the answer of a write that succeeded; nil: it has no body.
	reply func(b []byte, out *tree.Outcome) []byte
	// read decodes a request and appends its answer, or returns an error code.
	// It is called with outbox.mu held, and with pub held if it may watch.
	read func(rd *reading, b []byte) ([]byte, jute.ErrCode)
	// local answers at once, on the reader's goroutine, and reports whether the
	// connection goes on. The request is in conn.rd.
	local func(c *conn, xid int32) bool

	short   string // the operation in monitoring output, see Request.op2String
	watches bool   // of a read: has to do with watches always
	flag    bool   // of a read: leaves a watch if its second field says so
	ordered bool   // of a read: goes through the owner, behind all that is there
}

// A reading is a read at work.
type reading struct {
	conn *conn
	view *tree.Tree
	d    jute.Decoder
	// start is where the reply begins; events may have been put before it.
	start int
}

const lowestOp = jute.OpCloseSession

// handlers is the table of operations, closeSession first.
var handlers = [...]handler{
	jute.OpCloseSession - lowestOp:         closeSessionHandler,
	jute.OpCreate - lowestOp:               createHandler,
	jute.OpDelete - lowestOp:               deleteHandler,
	jute.OpExists - lowestOp:               existsHandler,
	jute.OpGetData - lowestOp:              getDataHandler,
	jute.OpSetData - lowestOp:              setDataHandler,
	jute.OpGetACL - lowestOp:               getACLHandler,
	jute.OpSetACL - lowestOp:               setACLHandler,
	jute.OpGetChildren - lowestOp:          getChildrenHandler,
	jute.OpSync - lowestOp:                 syncHandler,
	jute.OpPing - lowestOp:                 pingHandler,
	jute.OpGetChildren2 - lowestOp:         getChildren2Handler,
	jute.OpCheck - lowestOp:                checkHandler,
	jute.OpMulti - lowestOp:                multiHandler,
	jute.OpCreate2 - lowestOp:              create2Handler,
	jute.OpReconfig - lowestOp:             reconfigHandler,
	jute.OpCheckWatches - lowestOp:         checkWatchesHandler,
	jute.OpRemoveWatches - lowestOp:        removeWatchesHandler,
	jute.OpCreateContainer - lowestOp:      createContainerHandler,
	jute.OpCreateTTL - lowestOp:            createTTLHandler,
	jute.OpMultiRead - lowestOp:            multiReadHandler,
	jute.OpAuth - lowestOp:                 authHandler,
	jute.OpSetWatches - lowestOp:           setWatchesHandler,
	jute.OpSASL - lowestOp:                 saslHandler,
	jute.OpGetEphemerals - lowestOp:        getEphemeralsHandler,
	jute.OpGetAllChildrenNumber - lowestOp: getAllChildrenNumberHandler,
	jute.OpSetWatches2 - lowestOp:          setWatches2Handler,
	jute.OpAddWatch - lowestOp:             addWatchHandler,
	jute.OpWhoAmI - lowestOp:               whoAmIHandler,
}

// handlerOf returns the handler of an operation, or nil.
func handlerOf(op jute.OpCode) *handler {
	i := int64(op) - int64(lowestOp)
	if i < 0 || i >= int64(len(handlers)) {
		return nil
	}
	h := &handlers[i]
	if h.write == nil && h.read == nil && h.local == nil {
		return nil
	}
	return h
}

// beginReply appends the length and header of a reply, to be completed by
// endReply.
func beginReply(b []byte, xid int32, zxid int64) []byte {
	b = jute.AppendInt(b, 0)
	b = jute.AppendLong(jute.AppendInt(b, xid), zxid)
	return jute.AppendInt(b, 0)
}

// endReply puts the length and the error code into the reply that begins at
// start. A reply with an error has no body.
func endReply(b []byte, start int, err jute.ErrCode) []byte {
	if err != 0 {
		b = b[:start+lengthSize+jute.ReplyHeaderSize]
		binary.BigEndian.PutUint32(b[len(b)-4:], uint32(err)) //nolint:gosec // two's complement is the encoding
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-lengthSize)) //nolint:gosec // bounded by memory
	return b
}

// appendReply appends a reply without a body.
func appendReply(b []byte, xid int32, zxid int64, err jute.ErrCode) []byte {
	start := len(b)
	return endReply(beginReply(b, xid, zxid), start, err)
}

// appendRead carries out a read and appends its reply.
func appendRead(b []byte, h *handler, xid int32, rd *reading) []byte {
	rd.start = len(b)
	b, err := h.read(rd, beginReply(b, xid, rd.view.Zxid()))
	return endReply(b, rd.start, err)
}

// appendWritten appends the reply of a write.
func appendWritten(b []byte, h *handler, xid int32, out *tree.Outcome) []byte {
	start := len(b)
	b = beginReply(b, xid, out.Zxid)
	if out.Err == 0 && h.reply != nil {
		b = h.reply(b, out)
	}
	return endReply(b, start, out.Err)
}

// path decodes a path that names a node to read; null is not one.
func (rd *reading) path() ([]byte, jute.ErrCode) {
	p := rd.d.Buffer()
	if p == nil {
		return nil, jute.ErrMarshalling
	}
	return p, jute.ErrOk
}

// node decodes a path and returns the node if the connection has one of the
// permissions.
func (rd *reading) node(perms int32) (*tree.Node, []byte, jute.ErrCode) {
	path, err := rd.path()
	if err != 0 {
		return nil, nil, err
	}
	n := rd.view.GetBytes(path)
	switch {
	case n == nil:
		return nil, path, jute.ErrNoNode
	case !tree.Allowed(n.ACL, perms, rd.conn.identities()):
		return nil, path, jute.ErrNoAuth
	}
	return n, path, jute.ErrOk
}

// nodeAndFlag decodes a path and the wish for a watch.
func (rd *reading) nodeAndFlag() (n *tree.Node, path []byte, watch bool, err jute.ErrCode) {
	n, path, err = rd.node(jute.PermRead)
	watch = rd.d.Bool()
	if rd.d.Err() != nil {
		err = jute.ErrMarshalling
	}
	return n, path, watch, err
}
