// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
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
			log.Error("a function of the user's panicked", "function", what, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("rollcall: %s panicked: %v", what, value)
		}
	}()
	return call()
}
