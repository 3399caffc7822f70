// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import "github.com/rollcall-rpc/rollcall"

// The reasons of refusals: all have CodeUnauthenticated, but ReasonNotAllowed, which
// has CodePermissionDenied.
const (
	ReasonNoToken        = rollcall.ReasonNoToken   // the call carries no token
	ReasonMalformedToken = "MALFORMED_TOKEN"        //nolint:gosec // the metadata "authorization" is not "Bearer …"; this is a reason, no token
	ReasonBadToken       = "BAD_TOKEN"              // the token is not one that is known
	ReasonClearText      = "CLEAR_TEXT"             // the connection is not TLS
	ReasonNoCertificate  = "NO_CERTIFICATE"         // the client has shown none
	ReasonUnverified     = "CERTIFICATE_UNVERIFIED" // the server has not verified it
	ReasonUnidentified   = "UNIDENTIFIED"           // nothing says who calls
	ReasonNotAllowed     = "NOT_ALLOWED"            // the policy denies the method to the caller
)

// unauthenticated returns the refusal of a caller who is not identified.
func unauthenticated(reason, format string, args ...any) error {
	return rollcall.Errorf(rollcall.CodeUnauthenticated, reason, format, args...)
}
