// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// A Record is a structure of the protocol. Append writes its fields one after
// the other, without framing; Decode reads them, leaving any failure in the
// Decoder. Both can be called on many records in turn with one slice or Decoder.
type Record interface {
	Append(b []byte) []byte
	Decode(d *Decoder)
}

// RequestHeader stands before every request but the first: int xid, int op.
type RequestHeader struct {
	Xid int32
	Op  OpCode
}

// RequestHeaderSize is the encoded length of a RequestHeader in bytes.
const RequestHeaderSize = 8

// Append implements [Record].
func (r *RequestHeader) Append(b []byte) []byte { return AppendInt(AppendInt(b, r.Xid), int32(r.Op)) }

// Decode implements [Record].
func (r *RequestHeader) Decode(d *Decoder) { r.Xid, r.Op = d.Int(), OpCode(d.Int()) }

// ReplyHeader stands before every reply but the first: int xid, long zxid,
// int err. A body follows only where Err is [ErrOk].
type ReplyHeader struct {
	Xid  int32
	Zxid int64
	Err  ErrCode
}

// ReplyHeaderSize is the encoded length of a ReplyHeader in bytes.
const ReplyHeaderSize = 16

// Append implements [Record].
func (r *ReplyHeader) Append(b []byte) []byte {
	return AppendInt(AppendLong(AppendInt(b, r.Xid), r.Zxid), int32(r.Err))
}

// Decode implements [Record].
func (r *ReplyHeader) Decode(d *Decoder) { r.Xid, r.Zxid, r.Err = d.Int(), d.Long(), ErrCode(d.Int()) }

// ConnectRequest is the first frame of a client: int protocol version, long
// last zxid, int timeout in ms, long session id, buffer password, bool read
// only. Clients of ZooKeeper 3.3 and some later ones leave the last field out.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    int64
	TimeoutMillis   int32
	SessionID       int64 // 0: a new session
	Password        []byte
	ReadOnly        bool
	HasReadOnly     bool // whether the ReadOnly field is on the wire
}

// Append implements [Record].
func (r *ConnectRequest) Append(b []byte) []byte {
	b = AppendLong(AppendInt(b, r.ProtocolVersion), r.LastZxidSeen)
	b = AppendLong(AppendInt(b, r.TimeoutMillis), r.SessionID)
	b = AppendBuffer(b, r.Password)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode implements [Record].
func (r *ConnectRequest) Decode(d *Decoder) {
	r.ProtocolVersion, r.LastZxidSeen = d.Int(), d.Long()
	r.TimeoutMillis, r.SessionID = d.Int(), d.Long()
	r.Password = d.Buffer()
	r.HasReadOnly = d.err == nil && d.Len() > 0
	r.ReadOnly = r.HasReadOnly && d.Bool()
}

// ConnectResponse is the first frame of a server: int protocol version, int
// timeout in ms (0: the session has expired), long session id, buffer password
// of [PasswordSize] bytes, and bool read only where the request had that field.
type ConnectResponse struct {
	ProtocolVersion int32
	TimeoutMillis   int32
	SessionID       int64
	Password        []byte
	ReadOnly        bool
	HasReadOnly     bool // whether the ReadOnly field is on the wire
}

// Append implements [Record].
func (r *ConnectResponse) Append(b []byte) []byte {
	b = AppendInt(AppendInt(b, r.ProtocolVersion), r.TimeoutMillis)
	b = AppendBuffer(AppendLong(b, r.SessionID), r.Password)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode implements [Record].
func (r *ConnectResponse) Decode(d *Decoder) {
	r.ProtocolVersion, r.TimeoutMillis = d.Int(), d.Int()
	r.SessionID, r.Password = d.Long(), d.Buffer()
	r.HasReadOnly = d.err == nil && d.Len() > 0
	r.ReadOnly = r.HasReadOnly && d.Bool()
}
