// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// What a server answers.
var (
	ErrNoNode                  = errors.New("zk: no node")
	ErrNodeExists              = errors.New("zk: node exists")
	ErrBadVersion              = errors.New("zk: bad version")
	ErrNotEmpty                = errors.New("zk: node has children")
	ErrNoAuth                  = errors.New("zk: not permitted by the node's ACL")
	ErrNoChildrenForEphemerals = errors.New("zk: an ephemeral node cannot have children")
	ErrInvalidACL              = errors.New("zk: invalid ACL")
	ErrBadArguments            = errors.New("zk: bad arguments")
	ErrUnimplemented           = errors.New("zk: operation unknown to the server")
	ErrMarshalling             = errors.New("zk: the server could not read the request")
	ErrSessionExpired          = errors.New("zk: session expired")
	ErrSessionMoved            = errors.New("zk: session moved to another server")
	ErrAuthFailed              = errors.New("zk: authentication failed")
	ErrNoWatcher               = errors.New("zk: no such watch")
	ErrReconfigDisabled        = errors.New("zk: reconfiguration is disabled")
	ErrQuotaExceeded           = errors.New("zk: quota exceeded")
	// ErrRolledBack is the result of an operation of a multi that failed because
	// of another one.
	ErrRolledBack = errors.New("zk: rolled back with another operation of the multi")
)

// What only a client can tell.
var (
	ErrConnectionLoss  = errors.New("zk: connection lost")
	ErrClosed          = errors.New("zk: client closed")
	ErrQueueFull       = errors.New("zk: too many requests wait for a connection")
	ErrRequestTooLarge = errors.New("zk: request too large")
	// ErrProtocol means that a server sent what the protocol does not allow.
	ErrProtocol = errors.New("zk: protocol violation")
)

// The one table of codes on the wire and errors.
var codes = [...]struct {
	code jute.ErrCode
	err  error
}{
	{jute.ErrNoNode, ErrNoNode},
	{jute.ErrNodeExists, ErrNodeExists},
	{jute.ErrBadVersion, ErrBadVersion},
	{jute.ErrNotEmpty, ErrNotEmpty},
	{jute.ErrNoAuth, ErrNoAuth},
	{jute.ErrNoChildrenForEphemerals, ErrNoChildrenForEphemerals},
	{jute.ErrInvalidACL, ErrInvalidACL},
	{jute.ErrBadArguments, ErrBadArguments},
	{jute.ErrUnimplemented, ErrUnimplemented},
	{jute.ErrMarshalling, ErrMarshalling},
	{jute.ErrSessionExpired, ErrSessionExpired},
	{jute.ErrSessionMoved, ErrSessionMoved},
	{jute.ErrAuthFailed, ErrAuthFailed},
	{jute.ErrNoWatcher, ErrNoWatcher},
	{jute.ErrReconfigDisabled, ErrReconfigDisabled},
	{jute.ErrQuotaExceeded, ErrQuotaExceeded},
	{jute.ErrRuntimeInconsistency, ErrRolledBack},
}

// errOf returns the error of a code, nil for ErrOk.
func errOf(code jute.ErrCode) error {
	if code == jute.ErrOk {
		return nil
	}
	for i := range codes {
		if codes[i].code == code {
			return codes[i].err
		}
	}
	return fmt.Errorf("zk: the server answered with the unknown code %d", int32(code))
}

// An Error is what every call fails with. Use [errors.Is] with the sentinels of
// this package, with [context.Canceled] or with [context.DeadlineExceeded].
type Error struct {
	Op   string // ZooKeeper's name of the operation: "create", "getData", …
	Path string // the node in question; in a multi that of the failing operation
	// Sent tells whether the request may have reached a server. False is sure:
	// the request was not executed and never will be. True says nothing when Err
	// is ErrConnectionLoss, ErrClosed or a context's error: it may have been
	// executed, or may be later.
	Sent bool
	Err  error
}

// Error names the operation, the path and the cause.
func (e *Error) Error() string {
	s := "zk: " + e.Op
	if e.Path != "" {
		s += " " + strconv.Quote(e.Path)
	}
	s += ": " + bare(e.Err)
	if e.Sent && unanswered(e.Err) {
		s += " (the request may have been executed)"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A MultiError tells which operation of a multi failed. It stands in the Err of
// an [Error].
type MultiError struct {
	Index int    // counted from 0
	Op    string // "create", "delete", "setData" or "check"
	Path  string
	Err   error
}

// Error names the operation's place, kind and path, and the cause.
func (e *MultiError) Error() string {
	return fmt.Sprintf("operation %d (%s %q): %s", e.Index, e.Op, e.Path, bare(e.Err))
}

// Unwrap returns the cause.
func (e *MultiError) Unwrap() error { return e.Err }

// bare is the text of err without the package's name in front, which the
// enclosing error has said already.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "zk: ") }

func unanswered(err error) bool {
	return errors.Is(err, ErrConnectionLoss) || errors.Is(err, ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
