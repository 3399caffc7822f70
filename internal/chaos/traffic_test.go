// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Only a call of the open loop that was begun late enough ends the wait.
func TestAwaitOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := newLedger(), make(chan error, 1)
		since := func() time.Duration { return time.Second }
		go func() { ended <- l.awaitOpen(t.Context(), since) }()
		for _, r := range []record{{begun: 2 * time.Second}, {open: true, begun: time.Second}} {
			l.add(r)
			synctest.Wait()
			if len(ended) > 0 {
				t.Errorf("%+v ended the wait", r)
			}
		}
		l.add(record{open: true, begun: 2 * time.Second})
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := l.awaitOpen(t.Context(), since); err != nil {
			t.Errorf("the call is there already: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := newLedger().awaitOpen(ctx, since); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v after the end of the context", err)
		}
	})
}
