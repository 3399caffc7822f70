// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "context"

// tee returns a function that calls both; where one is nil, the other.
func tee[T any](a, b func(T)) func(T) {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return func(v T) { a(v); b(v) }
}

func teeBegin[T any](a, b func(context.Context, T) context.Context) func(context.Context, T) context.Context {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return func(ctx context.Context, v T) context.Context {
		if derived := a(ctx, v); derived != nil {
			ctx = derived
		}
		if derived := b(ctx, v); derived != nil {
			ctx = derived
		}
		return ctx
	}
}

func teeEnd[T any](a, b func(context.Context, T)) func(context.Context, T) {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return func(ctx context.Context, v T) { a(ctx, v); b(ctx, v) }
}
