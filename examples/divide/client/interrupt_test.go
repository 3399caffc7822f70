// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"

	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

// TestInterrupted ends the client while a call waits for its answer: that call
// is no failure.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := startServer(t, func(ctx context.Context, f *divide.Fraction) (*divide.Quotient, error) {
		if f.Num1 == 2 {
			cancel()
			<-ctx.Done()
		}
		return divide.Handler(ctx, f)
	})
	status, stdout := runAgainst(t, ctx, addr, "-n 0")
	if want := addr + " 0\n" + addr + " 1\n"; status != cli.StatusOK || stdout != want {
		t.Errorf("run = %d, %q, want 0, %q", status, stdout, want)
	}
}
