// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// An Op is one operation of a [Client.Multi]: see [CreateOp], [DeleteOp],
// [SetOp] and [CheckOp].
type Op struct {
	code    jute.OpCode
	path    string
	request jute.Record
	err     error // why the arguments cannot be used
}

// CreateOp creates a node, as [Client.Create] does.
func CreateOp(path string, data []byte, mode CreateMode, acl []ACL) Op {
	req, err := createRequest(path, data, mode, acl)
	return Op{jute.OpCreate, path, req, err}
}

// DeleteOp removes a node, as [Client.Delete] does.
func DeleteOp(path string, version int32) Op {
	req := &jute.PathVersionRequest{Path: path, Version: version}
	return Op{jute.OpDelete, path, req, checkPath(path, false)}
}

// SetOp replaces a node's data, as [Client.Set] does.
func SetOp(path string, data []byte, version int32) Op {
	req := &jute.SetDataRequest{Path: path, Data: data, Version: version}
	return Op{jute.OpSetData, path, req, checkPath(path, false)}
}

// CheckOp lets the multi fail unless the node exists and its Stat.Version is
// version or version is [AnyVersion].
func CheckOp(path string, version int32) Op {
	req := &jute.PathVersionRequest{Path: path, Version: version}
	return Op{jute.OpCheck, path, req, checkPath(path, false)}
}

// An OpResult is what became of one operation of a multi.
type OpResult struct {
	Path string // CreateOp: the path of the new node
	Stat Stat   // SetOp: the new Stat
	// Err is nil where all went well. In a multi that failed it is the failing
	// operation's error, and ErrRolledBack for every other one.
	Err error
}

// Multi executes operations, all or none. Each sees the effect of those before
// it. When one fails, the error is an [Error] with the path of that operation
// that wraps a [MultiError] with its index, and the results tell the same. No
// operations are fine and do nothing.
func (c *Client) Multi(ctx context.Context, ops ...Op) ([]OpResult, error) {
	req := &jute.MultiRequest{Ops: make([]jute.MultiOp, len(ops))}
	path := ""
	for i, op := range ops {
		if op.request == nil {
			op.err = fmt.Errorf("%w: the operation is empty: use CreateOp, DeleteOp, SetOp or CheckOp", ErrBadArguments)
		}
		if op.err != nil {
			return nil, &Error{Op: "multi", Path: op.path, Err: &MultiError{i, op.code.String(), op.path, op.err}}
		}
		req.Ops[i] = jute.MultiOp{Op: op.code, Request: op.request}
	}
	if len(ops) > 0 {
		path = ops[0].path
	}
	var resp jute.MultiResponse
	if err := c.call(ctx, jute.OpMulti, path, req, &resp); err != nil {
		return nil, err
	}
	return multiResults(ops, resp.Results)
}

// multiResults turns the answer of a server into results, and into the error of
// the operation that failed, if one did.
func multiResults(ops []Op, answer []jute.MultiResult) ([]OpResult, error) {
	if len(answer) != len(ops) {
		err := fmt.Errorf("%w: %d results for %d operations", ErrProtocol, len(answer), len(ops))
		return nil, &Error{Op: "multi", Sent: true, Err: err}
	}
	results := make([]OpResult, len(ops))
	failed, rolledBack := -1, false
	for i := range answer {
		a := &answer[i]
		results[i] = OpResult{Path: a.Path, Stat: a.Stat}
		if a.Op != jute.OpError {
			continue
		}
		rolledBack = true
		// A server marks what came before the failing operation as fine.
		results[i].Err = ErrRolledBack
		if err := errOf(a.Err); err != nil && !errors.Is(err, ErrRolledBack) {
			results[i].Err = err
			if failed < 0 {
				failed = i
			}
		}
	}
	switch {
	case failed >= 0:
	case rolledBack:
		err := fmt.Errorf("%w: a multi failed, and none of its operations did", ErrProtocol)
		return results, &Error{Op: "multi", Sent: true, Err: err}
	default:
		return results, nil
	}
	op := ops[failed]
	cause := &MultiError{failed, op.code.String(), op.path, results[failed].Err}
	return results, &Error{Op: "multi", Path: op.path, Sent: true, Err: cause}
}
