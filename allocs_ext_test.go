// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package rollcall_test

import (
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// Where no interceptors, events or defaults are set a call allocates nothing for
// them. The numbers are those of both sides together, and were measured before there
// were any.
func TestPlainCallsAllocateNoMore(t *testing.T) {
	c := intercepted(t, rollcall.ClientOptions{})
	body := make([]byte, 100)
	opts := rollcall.CallOptions{ReplyBuffer: make([]byte, 0, 1000)}
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	for _, tt := range []struct {
		name string
		most float64
		call func() error
	}{
		{"Invoke into a buffer", 7, func() error {
			_, err := c.Invoke(t.Context(), "Echo", body, opts)
			return err
		}},
		{"Call", 9, func() error {
			_, err := echo.Call(t.Context(), c, &body)
			return err
		}},
	} {
		got := testing.AllocsPerRun(1000, func() {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}
