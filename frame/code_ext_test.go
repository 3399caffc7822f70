// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"net/http"
	"testing"

	"github.com/rollcall-rpc/rollcall/frame"
)

// The table is that of google/rpc/code.proto, by the names that it uses for them.
func TestCodeHTTPStatus(t *testing.T) {
	const clientClosedRequest = 499
	for status, codes := range map[int][]frame.Code{
		http.StatusOK:                  {frame.CodeOK},
		clientClosedRequest:            {frame.CodeCanceled},
		http.StatusInternalServerError: {frame.CodeUnknown, frame.CodeInternal, frame.CodeDataLoss, 17, 255},
		http.StatusBadRequest:          {frame.CodeInvalidArgument, frame.CodeFailedPrecondition, frame.CodeOutOfRange},
		http.StatusGatewayTimeout:      {frame.CodeDeadlineExceeded},
		http.StatusNotFound:            {frame.CodeNotFound},
		http.StatusConflict:            {frame.CodeAlreadyExists, frame.CodeAborted},
		http.StatusForbidden:           {frame.CodePermissionDenied},
		http.StatusUnauthorized:        {frame.CodeUnauthenticated},
		http.StatusTooManyRequests:     {frame.CodeResourceExhausted},
		http.StatusNotImplemented:      {frame.CodeUnimplemented},
		http.StatusServiceUnavailable:  {frame.CodeUnavailable},
	} {
		for _, code := range codes {
			if got := code.HTTPStatus(); got != status {
				t.Errorf("%v: got %d, want %d", code, got, status)
			}
		}
	}
}
