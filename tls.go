// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// firstByteTLS begins a handshake record (RFC 8446, section 5.1).
const firstByteTLS = 0x16

// newClientTLS returns the configuration of a client's connections; nil for nil.
func newClientTLS(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{ProtocolName}
	}
	return config
}

// configFor returns the configuration for connections to a host.
func configFor(config *tls.Config, host string) *tls.Config {
	if config.ServerName != "" || config.InsecureSkipVerify && config.VerifyConnection == nil {
		return config
	}
	return tlsfiles.ForHost(config, host)
}

// newServerTLS returns the configuration of a server's connections; nil for nil.
// protocols are the names that it serves beside Rollcall's own.
func newServerTLS(config *tls.Config, protocols ...string) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	for _, p := range append([]string{ProtocolName}, protocols...) {
		if !slices.Contains(config.NextProtos, p) {
			config.NextProtos = append(slices.Clip(config.NextProtos), p)
		}
	}
	return config
}

// secure makes TLS of a connection that begins like it, within limit and while
// ctx lasts.
func secure(ctx context.Context, conn net.Conn, config *tls.Config, limit time.Duration) (*secureConn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secured := secureWith(tls.Server, conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}
