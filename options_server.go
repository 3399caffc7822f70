// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
)

// The defaults of [ServerOptions].
const (
	DefaultDrainDelay            = 500 * time.Millisecond
	DefaultDrainTimeout          = 20 * time.Second
	DefaultMaxConnections        = 10_000
	DefaultMaxConnectionsPerHost = DefaultMaxConnections / 2
	DefaultMaxPendingConnections = 1000
	DefaultMaxBufferedBytes      = 256 << 20
	DefaultIdleTimeout           = 10 * time.Minute
	DefaultFirstByteTimeout      = 10 * time.Second
)

// ServerOptions say how a [Server] works. The zero value is a server that is
// not registered anywhere.
type ServerOptions struct {
	// Registry is the target whose list the server joins,
	// "zk://host:port[,host:port…]/path". Empty: do not register.
	Registry string

	// Registrar is used instead of Registry where it is not nil.
	Registrar discovery.Registrar

	// Advertise is the address that clients are told, "host:port" or "host"
	// (then with the listener's port). Empty: the listener's address where it
	// is specific, else the address of this machine that reaches the registry.
	Advertise string

	// ID tells this server from all others of its service, over restarts: 1 to
	// 255 bytes. Empty: 16 hex digits made from the service's path and the
	// advertised address.
	ID string

	// Weight is the share of the calls relative to other instances, up to
	// discovery.MaxWeight. 0: discovery.DefaultWeight. Negative: listed, never
	// picked.
	Weight int

	Zone     string            // where the server stands, for people and later for routing
	Version  string            // of the service
	Metadata map[string]string // for readers of the list

	// TLS makes the server speak TLS: it has the certificate and, for mutual TLS,
	// the authorities that clients' certificates must be signed by; package
	// tlsfiles makes one of files. The entry tells clients so. Clear text is
	// refused. A VerifyConnection or ClientAuth of its own decides who is let in:
	// do not replace what tlsfiles has set without calling it. Nil: clear text.
	TLS *tls.Config

	// AllowPlaintext lets clear text in beside TLS, for the time in which clients
	// move. It needs TLS.
	AllowPlaintext bool

	// Protocols are foreign formats to serve on the same port.
	Protocols []Protocol

	// DrainDelay is how long a draining server serves on after it left the
	// list, for clients that do not know yet. 0: 500 ms; negative: not at all.
	DrainDelay time.Duration

	// DrainTimeout bounds the wait for calls in flight after DrainDelay. 0: 20
	// s, so that all ends within 25 s, before Kubernetes kills after 30; negative:
	// they are cancelled at once.
	DrainTimeout time.Duration

	// ZooKeeper are the settings of the session with Registry. They are an error
	// beside a Registrar and without a Registry. Its SessionTimeout is how long
	// the list shows a server that died without a word; its Logger is the
	// server's where it has none of its own.
	ZooKeeper zookeeper.Options

	// DebugAddr is a TCP address, "host:port", on which GET answers with
	// [Server.State] as JSON, to those whom Debug lets in: keep it to loopback or
	// to a network of operators. Empty: none.
	DebugAddr string

	// Debug says who may read the page of DebugAddr and [Server.DebugHandler].
	Debug DebugOptions

	// MaxCalls bounds the calls that are in hand at once, over all connections and
	// formats, and MethodMaxCalls those of a method, by its name or "Service/*" for
	// each of a service's. What comes beyond is refused with CodeUnavailable,
	// ReasonBusy, before it is decoded: surely not executed, so that clients go
	// elsewhere. 0: no bound.
	MaxCalls       int
	MethodMaxCalls map[string]int

	// KeepAllCalls lets a server go on with what it cannot answer in time. Else,
	// where a fifth of a method's calls end after their deadline, so many are let in
	// as can be answered in half of the time that they have, and the others refused
	// like those beyond MaxCalls, by their MetadataPriority; where that does not
	// help, it is taken back. Calls without a deadline are never late.
	KeepAllCalls bool

	MaxMessageBytes  int // of one request; 0: 4 MiB; at most 2 GiB - 1
	MaxMetadataBytes int // of one request; 0: 16 KiB; at most 60 KiB
	MaxStreams       int // calls in flight on one connection; 0: 1000; at most 1<<20

	// MaxConnections bounds the connections of all formats, MaxConnectionsPerHost those
	// of one address, and MaxPendingConnections those whose protocol is not known yet.
	// Beyond them a new one takes the place of one that has been silent, or idle, for
	// longest, of the address that has the most of those that are silent, or of its own
	// where that has its share; a connection with a call in flight keeps its place.
	// Where the process runs out of file descriptors, the same make room. 0: 10,000, a
	// half of MaxConnections, and 1000.
	MaxConnections        int
	MaxConnectionsPerHost int
	MaxPendingConnections int

	// MaxBufferedBytes bounds the memory of requests whose last piece has not come,
	// over all connections. Beyond it a piece is refused with CodeUnavailable,
	// ReasonBusy, and the connection ends that holds the oldest of them. 0: 256 MiB.
	MaxBufferedBytes int64

	// IdleTimeout is how long a client of Rollcall's own protocol may keep a
	// connection without a call on it: it is told, and loses no call. 0: 10 min;
	// negative: for ever.
	IdleTimeout time.Duration

	// Admissions decide, in this order, whether a call is let in.
	Admissions []Admission

	// Interceptors are put around every method's handler, the first outermost.
	Interceptors []Interceptor

	// Events tell what happens, for metrics and traces.
	Events ServerEvents

	// Logger is told what an operator should know. Nil: slog.Default();
	// slog.New(slog.DiscardHandler) for nothing.
	Logger *slog.Logger
}

func (o ServerOptions) withDefaults() ServerOptions {
	if o.DrainDelay == 0 {
		o.DrainDelay = DefaultDrainDelay
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = DefaultDrainTimeout
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.MaxConnectionsPerHost == 0 {
		o.MaxConnectionsPerHost = max(o.MaxConnections/2, 1)
	}
	if o.MaxBufferedBytes == 0 {
		o.MaxBufferedBytes = DefaultMaxBufferedBytes
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.MaxPendingConnections == 0 {
		o.MaxPendingConnections = DefaultMaxPendingConnections
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// check returns what is wrong with the options, all of it.
func (o *ServerOptions) check() error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("rollcall: ServerOptions."+format, args...))
	}
	if c := o.TLS; c != nil && len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
		bad("TLS has no certificate: give Certificates or GetCertificate, or make it with tlsfiles")
	}
	if o.AllowPlaintext && o.TLS == nil {
		bad("AllowPlaintext without TLS: set TLS, or leave it out, for all is clear text")
	}
	if o.MaxBufferedBytes < 0 {
		bad("MaxBufferedBytes %d: give a number of bytes, or 0 for 256 MiB", o.MaxBufferedBytes)
	}
	o.checkMaxCalls(bad)
	if len(o.ID) > 255 {
		bad("ID of %d bytes: give at most 255", len(o.ID))
	}
	if !utf8.ValidString(o.ID) {
		bad("ID %q: give UTF-8", o.ID)
	}
	problems = append(problems, checkLimits(
		limit{"ServerOptions.MaxMessageBytes", o.MaxMessageBytes, frame.MaxMaxMessage},
		limit{"ServerOptions.MaxMetadataBytes", o.MaxMetadataBytes, frame.MaxMaxMetadata},
		limit{"ServerOptions.MaxStreams", o.MaxStreams, frame.MaxMaxStreams},
		limit{"ServerOptions.MaxConnections", o.MaxConnections, 0},
		limit{"ServerOptions.MaxConnectionsPerHost", o.MaxConnectionsPerHost, 0},
		limit{"ServerOptions.MaxPendingConnections", o.MaxPendingConnections, 0},
	)...)
	problems = append(problems, checkZooKeeper("ServerOptions", &o.ZooKeeper, o.Registry != "" && o.Registrar == nil))
	problems = append(problems, o.Debug.check("ServerOptions.Debug"))
	if o.Weight > discovery.MaxWeight {
		bad("Weight %d: give at most %d", o.Weight, discovery.MaxWeight)
	}
	names := make([]string, len(o.Protocols))
	for i, p := range o.Protocols {
		if names[i] = p.Name; p.Name == "" || p.Match == nil || p.Serve == nil {
			bad("Protocols: %q needs Name, Match and Serve", p.Name)
		}
	}
	problems = append(problems, checkAdmissions(o.Admissions), checkInterceptors("ServerOptions.Interceptors", o.Interceptors))
	problems = append(problems, checkNames("ServerOptions.Protocols", names...))
	return errors.Join(problems...)
}
