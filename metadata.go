// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"net"

	"github.com/rollcall-rpc/rollcall/frame"
)

// Metadata are short texts that travel with a call or a reply. Keys are 1 to 255
// bytes, by convention in lower case. All of a message's metadata together are
// limited, to 16 KiB by default. A nil Metadata costs nothing.
type Metadata = frame.Metadata

// A CallInfo is what a handler can know of its call besides the request.
type CallInfo struct {
	Method   string
	Metadata Metadata // sent by the caller; nil: none
	Peer     net.Addr // the other end of the connection

	// ReplyMetadata is sent with the reply. The handler may set it until it
	// returns.
	ReplyMetadata Metadata
}

type callInfoKey struct{}

// InfoFromContext returns what is known of the call that a handler's context
// belongs to, and false for any other context.
func InfoFromContext(ctx context.Context) (*CallInfo, bool) {
	info, ok := ctx.Value(callInfoKey{}).(*CallInfo)
	return info, ok
}
