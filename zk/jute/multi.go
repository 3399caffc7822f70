// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

import "fmt"

// MultiHeader stands before each operation and each result of a multi, and ends
// the list: int type, bool done, int err.
type MultiHeader struct {
	Op   OpCode
	Done bool
	Err  ErrCode
}

// MultiHeaderSize is the encoded length of a MultiHeader in bytes.
const MultiHeaderSize = 9

// Append implements [Record].
func (h *MultiHeader) Append(b []byte) []byte {
	return AppendInt(AppendBool(AppendInt(b, int32(h.Op)), h.Done), int32(h.Err))
}

// Decode implements [Record].
func (h *MultiHeader) Decode(d *Decoder) {
	h.Op, h.Done, h.Err = OpCode(d.Int()), d.Bool(), ErrCode(d.Int())
}

var multiEnd = MultiHeader{Op: OpError, Done: true, Err: -1}

// AppendMultiEnd appends the header that ends the list of a multi or multiRead.
func AppendMultiEnd(b []byte) []byte { return multiEnd.Append(b) }

// A MultiOp is one operation of a multi.
type MultiOp struct {
	Op      OpCode // OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData or OpCheck
	Request Record // *CreateRequest, *CreateTTLRequest, *PathVersionRequest or *SetDataRequest
}

// MultiRequest asks for operations that all happen or none.
type MultiRequest struct{ Ops []MultiOp }

// Append implements [Record].
func (r *MultiRequest) Append(b []byte) []byte {
	for _, op := range r.Ops {
		h := MultiHeader{Op: op.Op, Err: -1}
		b = op.Request.Append(h.Append(b))
	}
	return multiEnd.Append(b)
}

// Decode implements [Record]. An operation that may not stand in a multi is a
// failure.
func (r *MultiRequest) Decode(d *Decoder) {
	r.Ops = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		if d.err != nil || h.Done {
			return
		}
		req := newMultiRequest(h.Op)
		if req == nil {
			d.err = &DecodeError{What: fmt.Sprintf("%v inside a multi", h.Op), Offset: d.off - MultiHeaderSize, Have: d.Len()}
			return
		}
		req.Decode(d)
		r.Ops = append(r.Ops, MultiOp{Op: h.Op, Request: req})
	}
}

func newMultiRequest(op OpCode) Record {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer:
		return new(CreateRequest)
	case OpCreateTTL:
		return new(CreateTTLRequest)
	case OpDelete, OpCheck:
		return new(PathVersionRequest)
	case OpSetData:
		return new(SetDataRequest)
	}
	return nil
}

// A MultiResult is the outcome of one operation of a multi. In a multi that
// failed, operations before the failing one have Op OpError and Err ErrOk, the
// failing one its code, those behind it ErrRuntimeInconsistency.
type MultiResult struct {
	Op   OpCode  // the operation, OpCreate2 for all that answer a Stat, or OpError
	Err  ErrCode // only with OpError
	Path string  // OpCreate, OpCreate2
	Stat Stat    // OpCreate2, OpSetData
}

// MultiResponse answers a multi, a result for each operation in order.
type MultiResponse struct{ Results []MultiResult }

// Append implements [Record].
func (r *MultiResponse) Append(b []byte) []byte {
	for i := range r.Results {
		b = r.Results[i].append(b)
	}
	return multiEnd.Append(b)
}

func (r *MultiResult) append(b []byte) []byte {
	h := MultiHeader{Op: r.Op, Err: r.Err}
	b = h.Append(b)
	switch r.Op {
	case OpCreate:
		return AppendString(b, r.Path)
	case OpCreate2:
		return r.Stat.Append(AppendString(b, r.Path))
	case OpSetData:
		return r.Stat.Append(b)
	case OpError:
		return AppendInt(b, int32(r.Err))
	}
	return b // OpDelete, OpCheck
}

// Decode implements [Record].
func (r *MultiResponse) Decode(d *Decoder) {
	r.Results = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		if d.err != nil || h.Done {
			return
		}
		res := MultiResult{Op: h.Op}
		res.decode(d)
		r.Results = append(r.Results, res)
	}
}

func (r *MultiResult) decode(d *Decoder) {
	switch r.Op {
	case OpCreate:
		r.Path = d.String()
	case OpCreate2:
		r.Path = d.String()
		r.Stat.Decode(d)
	case OpSetData:
		r.Stat.Decode(d)
	case OpError:
		r.Err = ErrCode(d.Int())
	case OpDelete, OpCheck:
	default:
		d.err = &DecodeError{What: fmt.Sprintf("result of %v inside a multi", r.Op), Offset: d.off - MultiHeaderSize, Have: d.Len()}
	}
}
