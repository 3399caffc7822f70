// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"expvar"
	"log/slog"

	"github.com/rollcall-rpc/rollcall"
)

// AccessLog returns events that write a line for each call that a server was sent,
// refused ones too. A handler that panics does not end the server: its caller gets
// CodeInternal, and the line has what it panicked with.
func AccessLog(log *slog.Logger) rollcall.ServerEvents {
	return rollcall.ServerEvents{CallEnd: func(ctx context.Context, end rollcall.ServerCallEnd) {
		line := []slog.Attr{
			slog.String("method", end.Call.Method),
			slog.String("identity", end.Call.Peer.Identity),
			slog.String("code", end.Code.String()),
			slog.Duration("elapsed", end.Elapsed),
			slog.Int("size", end.Call.Size),
			slog.Int("reply_size", end.ReplySize),
		}
		if end.Err != nil {
			line = append(line, slog.String("reason", end.Err.Reason), slog.String("error", end.Err.Message))
		}
		if end.Panic != nil {
			line = append(line, slog.Any("panic", end.Panic))
		}
		log.LogAttrs(ctx, slog.LevelInfo, "call", line...)
	}}
}

// Count returns events that count calls by method and code: "Inventory/Get OK".
// Those of methods that are not there are counted together, for whoever calls names
// the method, and could fill the memory with names.
func Count(calls *expvar.Map) rollcall.ServerEvents {
	return rollcall.ServerEvents{CallEnd: func(_ context.Context, end rollcall.ServerCallEnd) {
		method := end.Call.Method
		if !end.Call.Handled {
			method = "unknown"
		}
		calls.Add(method+" "+end.Code.String(), 1)
	}}
}
