// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "github.com/rollcall-rpc/rollcall/frame"

// A Code says what kind of failure an [Error] is. The codes and their numbers
// are gRPC's (google.golang.org/grpc/codes); HTTPStatus tells what they are in HTTP.
type Code = frame.Code

// The codes.
const (
	CodeOK                 = frame.CodeOK                 // no failure: no Error has it
	CodeCanceled           = frame.CodeCanceled           // the caller gave up
	CodeUnknown            = frame.CodeUnknown            // a handler's error that is not an *Error
	CodeInvalidArgument    = frame.CodeInvalidArgument    // wrong whatever the state of the system
	CodeDeadlineExceeded   = frame.CodeDeadlineExceeded   // the deadline passed
	CodeNotFound           = frame.CodeNotFound           // what was asked for is not there
	CodeAlreadyExists      = frame.CodeAlreadyExists      // what was to be made is there
	CodePermissionDenied   = frame.CodePermissionDenied   // the caller is known and may not
	CodeResourceExhausted  = frame.CodeResourceExhausted  // a limit or quota
	CodeFailedPrecondition = frame.CodeFailedPrecondition // not in this state; do not retry as it is
	CodeAborted            = frame.CodeAborted            // a conflict; retry from further up
	CodeOutOfRange         = frame.CodeOutOfRange         // past a valid range
	CodeUnimplemented      = frame.CodeUnimplemented      // no such method, or not with this codec
	CodeInternal           = frame.CodeInternal           // a broken invariant, a panic
	CodeUnavailable        = frame.CodeUnavailable        // no instance could be reached, or it is going away
	CodeDataLoss           = frame.CodeDataLoss           // unrecoverable loss
	CodeUnauthenticated    = frame.CodeUnauthenticated    // no valid credentials
)
