// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// contained calls a function that a user has given, on the way of a call: a panic
// of it becomes an error, and is logged with its stack, as one of a handler is. what
// names the function.
func contained[T any](log *loglimit.Limiter, what string, call func() (T, error)) (result T, err error) {
	defer func() {
		if value := recover(); value != nil {
			logUserPanic(log, what, value)
			err = fmt.Errorf("rollcall: %s panicked: %v", what, value)
		}
	}()
	return call()
}

// contain is deferred around a function of the user's that returns nothing.
func contain(log *loglimit.Limiter, what string) {
	if value := recover(); value != nil {
		logUserPanic(log, what, value)
	}
}

// logUserPanic tells of a panic and where it was. It is called by the function that
// recovered.
func logUserPanic(log *loglimit.Limiter, what string, value any) {
	log.Error(what+" panicked", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// closeCaller closes a connection of a dialect.
func closeCaller(log *loglimit.Limiter, c Caller) {
	defer contain(log, "Caller.Close")
	c.Close()
}

// containedEvents returns events that are told as e, and whose panics go no further: a
// metric that cannot be counted fails no call, and ends no process.
func containedEvents(log *loglimit.Limiter, e *ClientEvents) ClientEvents {
	return ClientEvents{
		CallBegin:       containedBegin(log, "ClientEvents.CallBegin", e.CallBegin),
		CallEnd:         containedEnd(log, "ClientEvents.CallEnd", e.CallEnd),
		AttemptBegin:    containedBegin(log, "ClientEvents.AttemptBegin", e.AttemptBegin),
		AttemptEnd:      containedEnd(log, "ClientEvents.AttemptEnd", e.AttemptEnd),
		RetryDenied:     containedEnd(log, "ClientEvents.RetryDenied", e.RetryDenied),
		ListChanged:     containedEvent(log, "ClientEvents.ListChanged", e.ListChanged),
		InstanceChanged: containedEvent(log, "ClientEvents.InstanceChanged", e.InstanceChanged),
	}
}

func containedBegin[T any](log *loglimit.Limiter, what string, event func(context.Context, T) context.Context) func(context.Context, T) context.Context {
	if event == nil {
		return nil
	}
	return func(ctx context.Context, v T) context.Context {
		defer contain(log, what)
		return event(ctx, v)
	}
}

func containedEnd[T any](log *loglimit.Limiter, what string, event func(context.Context, T)) func(context.Context, T) {
	if event == nil {
		return nil
	}
	return func(ctx context.Context, v T) {
		defer contain(log, what)
		event(ctx, v)
	}
}

func containedEvent[T any](log *loglimit.Limiter, what string, event func(T)) func(T) {
	if event == nil {
		return nil
	}
	return func(v T) {
		defer contain(log, what)
		event(v)
	}
}
