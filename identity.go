// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "context"

// Identity returns who makes the call that a handler's context belongs to, as an
// [Admission] has found out: CallInfo.Peer.Identity. Empty: nobody knows, or ctx
// belongs to no call.
func Identity(ctx context.Context) string {
	if call, ok := InfoFromContext(ctx); ok {
		return call.Peer.Identity
	}
	return ""
}

// ContextWithInfo returns a context in which [InfoFromContext] and [Identity] find
// the call. A server makes its own: this is for what stands in its place, such as a
// handler of HTTP behind admissions, or a test that runs a handler by itself.
func ContextWithInfo(ctx context.Context, call *CallInfo) context.Context {
	return context.WithValue(ctx, callInfoKey{}, call)
}
