// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// ClientOptions configure a [ClientConn]. The zero value is the default.
type ClientOptions struct {
	// InstanceID is the server that is meant, at most 255 bytes; empty: any.
	InstanceID string
	// KeepaliveInterval is the silence after which a PING is sent while calls
	// are outstanding. 0: 300 ms; negative: off.
	KeepaliveInterval time.Duration
	// KeepaliveMisses is the number of intervals without a byte, while calls
	// are outstanding, that end the connection. 0: 3; 1 counts as 2, for the
	// first one's silence is what the PING asks about. While the PING waits
	// behind bytes that still go out, no time passes: the socket is asked, through
	// wrappers that have NetConn() net.Conn, as tls.Conn has it. Where none can
	// tell (other wrappers, systems other than Linux), what was handed over and
	// not answered is taken to go out at 256 KiB per second, 4 MiB at most: so a
	// server that hangs behind a large request is found up to 16 s later.
	KeepaliveMisses int
	// HandshakeTimeout limits the wait for the server's preface. 0: 10 s;
	// negative: no limit.
	HandshakeTimeout time.Duration
	// MaxMessageBytes limits the body of a reply. 0: 4 MiB; at most 2 GiB - 1.
	MaxMessageBytes int
	// MaxMetadataBytes limits a reply's encoded metadata. 0: 16 KiB; at most
	// 60 KiB.
	MaxMetadataBytes int
	// MaxFrameBytes limits the payload of a received frame. 0: 64 KiB, which is
	// also the least; at most 16 MiB.
	MaxFrameBytes int
	// MaxStreams limits the calls in flight; the server's limit may be lower.
	// 0: 1000; at most 1<<20.
	MaxStreams int
	// Line is who waits where the connection is full; several may share it. nil:
	// nobody.
	Line *Line
	// QueueBytes bounds what waits to be written; callers wait beyond it.
	// 0: 1 MiB.
	QueueBytes int
	// OnSilent is called with true when calls are outstanding and a PING was not
	// answered within an interval, and with false when something has come again.
	// A connection that dies of its silence ends without the latter. It is called
	// from the monitor's goroutine and must not block.
	OnSilent func(silent bool)
	// OnGoAway is called for each GOAWAY, from the reader's goroutine; it must
	// not block.
	OnGoAway func(frame.GoAway)
	// OnClose is called once, after the connection died, with the cause; it
	// must not block and must not call Close.
	OnClose func(error)
	// Log receives what nobody is told otherwise, and servers can cause. nil:
	// discarded.
	Log *loglimit.Limiter
}

func (o ClientOptions) withDefaults() ClientOptions {
	o.KeepaliveInterval = defaulted(o.KeepaliveInterval, DefaultKeepaliveInterval)
	o.KeepaliveMisses = defaulted(max(o.KeepaliveMisses, 0), DefaultKeepaliveMisses)
	o.HandshakeTimeout = defaulted(o.HandshakeTimeout, DefaultHandshakeTimeout)
	o.MaxMessageBytes = clamp(o.MaxMessageBytes, frame.DefaultMaxMessage, 1, frame.MaxMaxMessage)
	o.MaxMetadataBytes = clamp(o.MaxMetadataBytes, frame.DefaultMaxMetadata, 1, frame.MaxMaxMetadata)
	o.MaxFrameBytes = clamp(o.MaxFrameBytes, frame.DefaultMaxFrame, frame.MinMaxFrame, frame.MaxMaxFrame)
	o.MaxStreams = clamp(o.MaxStreams, frame.DefaultMaxStreams, 1, frame.MaxMaxStreams)
	o.QueueBytes = defaulted(max(o.QueueBytes, 0), DefaultQueueBytes)
	return o
}

func (o ClientOptions) settings() frame.Settings {
	return settings(o.MaxFrameBytes, o.MaxMessageBytes, o.MaxMetadataBytes, o.MaxStreams)
}
