// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"maps"
)

// The metadata in which a bearer token travels (RFC 6750, section 2.1).
const (
	MetadataAuthorization = "authorization"
	bearer                = "Bearer "
)

// authorized adds the client's token, if it has one, to a call's metadata.
func (c *Client) authorized(ctx context.Context, m Metadata) (Metadata, error) {
	if c.opts.Token == nil {
		return m, nil
	}
	token, err := contained(c.log, "ClientOptions.Token", func() (string, error) { return c.opts.Token(ctx) })
	if err != nil {
		return nil, &Error{Code: CodeUnauthenticated, Reason: ReasonNoToken, Message: "ClientOptions.Token: " + err.Error(), Executed: ExecutedNo, cause: err}
	}
	if m = maps.Clone(m); m == nil {
		m = make(Metadata, 1)
	}
	m[MetadataAuthorization] = bearer + token
	return m, nil
}
