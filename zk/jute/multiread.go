// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

import "fmt"

// A MultiReadOp is one operation of a multiRead: a MultiHeader and a
// PathWatchRequest.
type MultiReadOp struct {
	Op      OpCode // OpGetData or OpGetChildren
	Request PathWatchRequest
}

// MultiReadRequest asks for several reads of one version of the tree. No watch
// is left.
type MultiReadRequest struct{ Ops []MultiReadOp }

// Append implements [Record].
func (r *MultiReadRequest) Append(b []byte) []byte {
	for i := range r.Ops {
		h := MultiHeader{Op: r.Ops[i].Op, Err: -1}
		b = r.Ops[i].Request.Append(h.Append(b))
	}
	return multiEnd.Append(b)
}

// Decode implements [Record]. An operation that may not stand in a multiRead is
// a failure.
func (r *MultiReadRequest) Decode(d *Decoder) {
	r.Ops = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		switch {
		case d.err != nil || h.Done:
			return
		case h.Op != OpGetData && h.Op != OpGetChildren:
			d.err = &DecodeError{What: fmt.Sprintf("%v inside a multiRead", h.Op), Offset: d.off - MultiHeaderSize, Have: d.Len()}
			return
		}
		op := MultiReadOp{Op: h.Op}
		op.Request.Decode(d)
		r.Ops = append(r.Ops, op)
	}
}

// A MultiReadResult is the outcome of one operation of a multiRead, which does
// not depend on that of the others.
type MultiReadResult struct {
	Op       OpCode   // the operation, or OpError
	Err      ErrCode  // only with OpError
	Data     []byte   // OpGetData; nil is kept apart from empty
	Stat     Stat     // OpGetData
	Children []string // OpGetChildren
}

// MultiReadResponse answers a multiRead, a result for each operation in order.
type MultiReadResponse struct{ Results []MultiReadResult }

// Append implements [Record].
func (r *MultiReadResponse) Append(b []byte) []byte {
	for i := range r.Results {
		b = r.Results[i].append(b)
	}
	return AppendMultiEnd(b)
}

func (r *MultiReadResult) append(b []byte) []byte {
	h := MultiHeader{Op: r.Op, Err: r.Err}
	b = h.Append(b)
	switch r.Op {
	case OpGetData:
		return r.Stat.Append(AppendBuffer(b, r.Data))
	case OpGetChildren:
		return AppendStrings(b, r.Children)
	case OpError:
		return AppendInt(b, int32(r.Err))
	}
	return b
}

// Decode implements [Record].
func (r *MultiReadResponse) Decode(d *Decoder) {
	r.Results = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		if d.err != nil || h.Done {
			return
		}
		res := MultiReadResult{Op: h.Op}
		res.decode(d)
		r.Results = append(r.Results, res)
	}
}

func (r *MultiReadResult) decode(d *Decoder) {
	switch r.Op {
	case OpGetData:
		r.Data = d.Buffer()
		r.Stat.Decode(d)
	case OpGetChildren:
		r.Children = d.Strings()
	case OpError:
		r.Err = ErrCode(d.Int())
	default:
		d.err = &DecodeError{What: fmt.Sprintf("result of %v inside a multiRead", r.Op), Offset: d.off - MultiHeaderSize, Have: d.Len()}
	}
}
