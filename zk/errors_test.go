// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// Every code has its own sentinel, and every code that jute names is there.
func TestCodes(t *testing.T) {
	seen := make(map[error]jute.ErrCode)
	for _, row := range codes {
		if other, twice := seen[row.err]; twice {
			t.Errorf("codes %d and %d are both %v", other, row.code, row.err)
		}
		seen[row.err] = row.code
		if got := errOf(row.code); !errors.Is(got, row.err) {
			t.Errorf("errOf(%d) = %v, want %v", row.code, got, row.err)
		}
		if !strings.HasPrefix(row.err.Error(), "zk: ") {
			t.Errorf("error %q does not begin with the package's name", row.err)
		}
	}
	for code := jute.ErrCode(-130); code < 0; code++ {
		named := !strings.HasPrefix(code.String(), "error ")
		if _, ok := seen[errOf(code)]; ok != named {
			t.Errorf("code %v: in the table %v, named by jute %v", code, ok, named)
		}
	}
	if err := errOf(jute.ErrOk); err != nil {
		t.Errorf("errOf(ok) = %v", err)
	}
	if err := errOf(-99); err == nil || !strings.Contains(err.Error(), "-99") {
		t.Errorf("errOf(-99) = %v, want an error with the code", err)
	}
}

func TestErrorText(t *testing.T) {
	multi := &MultiError{Index: 2, Op: "delete", Path: "/b", Err: ErrNoNode}
	tests := []struct {
		err  error
		want string
	}{
		{&Error{Op: "create", Path: "/a", Sent: true, Err: ErrNodeExists}, `zk: create "/a": node exists`},
		{&Error{Op: "create", Path: "/a", Sent: true, Err: ErrConnectionLoss}, `zk: create "/a": connection lost (the request may have been executed)`},
		{&Error{Op: "create", Path: "/a", Err: ErrConnectionLoss}, `zk: create "/a": connection lost`},
		{&Error{Op: "delete", Path: "/a\n", Sent: true, Err: context.Canceled}, `zk: delete "/a\n": context canceled (the request may have been executed)`},
		{&Error{Op: "closeSession", Err: ErrClosed}, `zk: closeSession: client closed`},
		{&Error{Op: "multi", Path: "/b", Sent: true, Err: multi}, `zk: multi "/b": operation 2 (delete "/b"): no node`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
	if !errors.Is(tests[5].err, ErrNoNode) {
		t.Error("the error of a multi is not that of its operation")
	}
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		StateConnecting.String():          "connecting",
		StateConnected.String():           "connected",
		StateExpired.String():             "expired",
		StateAuthFailed.String():          "auth failed",
		StateClosed.String():              "closed",
		State(0).String():                 "state 0",
		NodeCreated.String():              "NodeCreated",
		NodeDeleted.String():              "NodeDeleted",
		NodeDataChanged.String():          "NodeDataChanged",
		NodeChildrenChanged.String():      "NodeChildrenChanged",
		Rearmed.String():                  "Rearmed",
		Lost.String():                     "Lost",
		EventType(0).String():             "event 0",
		ModePersistent.String():           "PERSISTENT",
		ModeEphemeral.String():            "EPHEMERAL",
		ModePersistentSequential.String(): "PERSISTENT_SEQUENTIAL",
		ModeEphemeralSequential.String():  "EPHEMERAL_SEQUENTIAL",
		CreateMode(0).String():            "mode 0",
	} {
		if got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

// TestMultiWithoutCause: results that were all rolled back are no success, though
// none tells why.
func TestMultiWithoutCause(t *testing.T) {
	ops := []Op{DeleteOp("/a", AnyVersion), DeleteOp("/b", AnyVersion)}
	answer := []jute.MultiResult{{Op: jute.OpError}, {Op: jute.OpError, Err: jute.ErrRuntimeInconsistency}}
	results, err := multiResults(ops, answer)
	if !errors.Is(err, ErrProtocol) || len(results) != 2 || !errors.Is(results[0].Err, ErrRolledBack) {
		t.Errorf("got %+v, %v, want %v", results, err, ErrProtocol)
	}
}
