// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"errors"
	"math"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/divide"
)

func TestHandler(t *testing.T) {
	tests := []struct {
		fraction divide.Fraction
		want     float32
	}{
		{fraction(6, 3), 2},
		{fraction(6), 6},
		{fraction(0), 0},
		{fraction(1, 3), 1. / 3},
		{fraction(-7, 2), -3.5},
		{fraction(math.MinInt32, -1), 2147483648},
		// The float32 of each is 2147483648; only the quotient is rounded.
		{fraction(math.MaxInt32, math.MaxInt32-200), 1.0000001},
	}
	for _, tt := range tests {
		got, err := divide.Handler(t.Context(), &tt.fraction)
		if err != nil || got.Value != tt.want {
			t.Errorf("Handler(%+v) = %v, %v, want %v", tt.fraction, got, err, tt.want)
		}
	}
}

func TestHandlerDivisionByZero(t *testing.T) {
	f := fraction(1, 0)
	_, err := divide.Handler(t.Context(), &f)
	if !divide.IsInvalidOperation(err) {
		t.Errorf("1 / 0: %v, want an invalid operation", err)
	}
	if e, ok := errors.AsType[*rollcall.Error](err); !ok || e.Code != rollcall.CodeInvalidArgument || e.Reason != "INVALID_OPERATION" || e.Message != "invalid operation" {
		t.Errorf("1 / 0: %#v", err)
	}
	if other := rollcall.Errorf(rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, "x"); divide.IsInvalidOperation(other) {
		t.Errorf("IsInvalidOperation(%v) is true", other)
	}
}
