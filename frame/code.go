// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

// A Code classifies how a call ended. Names and numbers are those of gRPC's status
// codes; no ERROR frame has CodeOK. Source: google.golang.org/grpc/codes.
type Code uint8

// The codes.
const (
	CodeOK                 Code = 0
	CodeCanceled           Code = 1
	CodeUnknown            Code = 2
	CodeInvalidArgument    Code = 3
	CodeDeadlineExceeded   Code = 4
	CodeNotFound           Code = 5
	CodeAlreadyExists      Code = 6
	CodePermissionDenied   Code = 7
	CodeResourceExhausted  Code = 8
	CodeFailedPrecondition Code = 9
	CodeAborted            Code = 10
	CodeOutOfRange         Code = 11
	CodeUnimplemented      Code = 12
	CodeInternal           Code = 13
	CodeUnavailable        Code = 14
	CodeDataLoss           Code = 15
	CodeUnauthenticated    Code = 16
)

var codeNames = [...]string{
	CodeOK: "OK", CodeCanceled: "Canceled", CodeUnknown: "Unknown", CodeInvalidArgument: "InvalidArgument",
	CodeDeadlineExceeded: "DeadlineExceeded", CodeNotFound: "NotFound", CodeAlreadyExists: "AlreadyExists",
	CodePermissionDenied: "PermissionDenied", CodeResourceExhausted: "ResourceExhausted",
	CodeFailedPrecondition: "FailedPrecondition", CodeAborted: "Aborted", CodeOutOfRange: "OutOfRange",
	CodeUnimplemented: "Unimplemented", CodeInternal: "Internal", CodeUnavailable: "Unavailable",
	CodeDataLoss: "DataLoss", CodeUnauthenticated: "Unauthenticated",
}

// String returns the code's name, or its number.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return "code " + hexByte(uint8(c))
}

var httpStatuses = [...]int{
	CodeOK: 200, CodeCanceled: 499, CodeUnknown: 500, CodeInvalidArgument: 400,
	CodeDeadlineExceeded: 504, CodeNotFound: 404, CodeAlreadyExists: 409,
	CodePermissionDenied: 403, CodeResourceExhausted: 429, CodeFailedPrecondition: 400,
	CodeAborted: 409, CodeOutOfRange: 400, CodeUnimplemented: 501, CodeInternal: 500,
	CodeUnavailable: 503, CodeDataLoss: 500, CodeUnauthenticated: 401,
}

// HTTPStatus returns the status with which HTTP answers what ended with the code;
// 500 for a number that is no code. CodeCanceled is 499, which has no name in
// net/http: nobody is left to read it, but logs show it. Source: google/rpc/code.proto
// (googleapis), which grpc-gateway (runtime.HTTPStatusFromCode) and the Connect
// protocol (connectrpc.com/docs/protocol, "Error codes") follow.
func (c Code) HTTPStatus() int {
	if int(c) < len(httpStatuses) {
		return httpStatuses[c]
	}
	return 500
}
