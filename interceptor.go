// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"slices"
)

// A Handler answers a call. Request and reply are pointers to the messages of the
// method, the *Req and *Res that its handler and its caller see; those of a
// []byte method and of [Client.Invoke] are *[]byte.
type Handler func(ctx context.Context, call *CallInfo, request any) (reply any, err error)

// An Interceptor puts itself around calls: it returns a Handler that does what it
// wants before and after next, or answers in its place. It is called once for each
// chain of handlers that is built, and the Handler that it returns once for each
// call, from any goroutine.
//
// On a server it stands around the method's handler, after admission and
// decoding. On a client it stands around the whole call, with its retries. The
// context that it gives to next is the one that the handler, or the call, gets. A
// nil reply stands for the zero value of the method's reply; one of another type
// is an error with CodeInternal. A panic becomes an error with CodeInternal and
// ReasonPanic, and is logged with its stack.
type Interceptor func(next Handler) Handler

// chain puts interceptors around a handler, the first outermost. Without any it is
// nil: whoever has no chain calls the handler itself.
func chain(list []Interceptor, inner Handler) Handler {
	if len(list) == 0 {
		return nil
	}
	for _, in := range slices.Backward(list) {
		inner = in(inner)
	}
	return inner
}
