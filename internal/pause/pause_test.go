// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	stop := errors.New("stop")
	tests := []struct {
		name   string
		d      time.Duration
		cancel time.Duration // when the context is cancelled; negative: never
		waits  time.Duration
		want   error
	}{
		{"the whole pause", time.Minute, -1, time.Minute, nil},
		{"no pause", 0, -1, 0, nil},
		{"a negative pause", -time.Second, -1, 0, nil},
		{"cut short", time.Minute, time.Second, time.Second, stop},
		{"ended before", time.Minute, 0, 0, stop},
		{"ended before, no pause", 0, 0, 0, stop},
		{"ended before, a negative pause", -time.Second, 0, 0, stop},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				switch {
				case tt.cancel == 0:
					cancel(stop)
				case tt.cancel > 0:
					time.AfterFunc(tt.cancel, func() { cancel(stop) })
				}
				begun := time.Now()
				if err := For(ctx, tt.d); !errors.Is(err, tt.want) {
					t.Errorf("For(ctx, %v) = %v, want %v", tt.d, err, tt.want)
				}
				if waited := time.Since(begun); waited != tt.waits {
					t.Errorf("waited %v, want %v", waited, tt.waits)
				}
			})
		})
	}
}

// TestForDeadline: a deadline is told as one.
func TestForDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("For = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
