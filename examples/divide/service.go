// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"context"
	"errors"

	"github.com/rollcall-rpc/rollcall"
)

// Divide is the method as both sides know it.
var Divide = rollcall.Method[Fraction, Quotient]{Name: "Divide/Divide", Idempotent: true}

// A Fraction is what is to be divided.
type Fraction struct {
	Num1 int32  `json:"num1"`
	Num2 *int32 `json:"num2,omitempty"` // nil: 1
}

// divisor returns Num2 or its default.
func (f *Fraction) divisor() int32 {
	if f.Num2 == nil {
		return defaultNum2
	}
	return *f.Num2
}

const defaultNum2 = 1

// A Quotient is the answer.
type Quotient struct {
	Value float32 `json:"value"` // rounded once, from the quotient as a float64
}

// ReasonInvalidOperation is the reason of the error that stands for a division
// that has no result.
const ReasonInvalidOperation = "INVALID_OPERATION"

const invalidOperation = "invalid operation" // the message unless the handler gives another

// Handler divides. A Num2 of 0 is a *rollcall.Error with CodeInvalidArgument
// and ReasonInvalidOperation.
func Handler(_ context.Context, f *Fraction) (*Quotient, error) {
	if f.divisor() == 0 {
		return nil, &rollcall.Error{Code: rollcall.CodeInvalidArgument, Reason: ReasonInvalidOperation, Message: invalidOperation}
	}
	return &Quotient{Value: float32(float64(f.Num1) / float64(f.divisor()))}, nil
}

// IsInvalidOperation reports whether err is the service's answer that a division
// has no result, in either protocol.
func IsInvalidOperation(err error) bool {
	var e *rollcall.Error
	return errors.As(err, &e) && e.Code == rollcall.CodeInvalidArgument && e.Reason == ReasonInvalidOperation
}
