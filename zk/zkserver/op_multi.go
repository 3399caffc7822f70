// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var multiHandler = handler{write: decodeMulti, reply: appendMultiResults, short: "MULT"}

func decodeMulti(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	for {
		var h jute.MultiHeader
		h.Decode(d)
		if d.Err() != nil {
			return jute.ErrMarshalling
		}
		if h.Done {
			return jute.ErrOk
		}
		decode := multiDecoder(h.Op)
		if decode == nil {
			return jute.ErrMarshalling
		}
		op := tree.Request{Op: h.Op}
		if err := decode(d, &op); err != 0 {
			return err
		}
		r.Ops = append(r.Ops, op)
	}
}

// multiDecoder returns what decodes an operation that may stand in a multi.
func multiDecoder(op jute.OpCode) func(*jute.Decoder, *tree.Request) jute.ErrCode {
	switch op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer:
		return decodeCreate
	case jute.OpCreateTTL:
		return decodeCreateTTL
	case jute.OpDelete, jute.OpCheck:
		return decodeDelete
	case jute.OpSetData:
		return decodeSetData
	}
	return nil
}

// appendMultiResults appends a result for each operation. The reply's own code
// is 0 even if the multi failed: what failed stands in the results.
func appendMultiResults(b []byte, out *tree.Outcome) []byte {
	for i := range out.Results {
		res := &out.Results[i]
		op := res.Op
		if op == jute.OpCreateContainer || op == jute.OpCreateTTL {
			op = jute.OpCreate2 // what answers as create2 does is told as such
		}
		h := jute.MultiHeader{Op: op, Err: res.Err}
		b = h.Append(b)
		switch op {
		case jute.OpError:
			b = jute.AppendInt(b, int32(res.Err))
		case jute.OpCreate:
			b = appendOutcomePath(b, res)
		case jute.OpCreate2:
			b = appendOutcomePathStat(b, res)
		case jute.OpSetData:
			b = appendOutcomeStat(b, res)
		}
	}
	return jute.AppendMultiEnd(b)
}
