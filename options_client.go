// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/dialer"
)

// DefaultConnectTimeout bounds the dial of an instance, and the wait for its preface.
const DefaultConnectTimeout = time.Second

// ClientOptions say how a [Client] works. The zero value is the default.
type ClientOptions struct {
	// Balancing says how instances are chosen, and when one is left out: its
	// Policy, nil for balancer.P2C, slow start, ejection, lingering.
	Balancing balancer.Options

	// Resolver is asked for the instances instead of the target's registry
	// where it is not nil; the target is then only a name for errors.
	Resolver discovery.Resolver

	// ZooKeeper are the settings of the session with the target's registry. They
	// are an error beside a Resolver and with a static target, which have none.
	// Its Logger is the client's where it has none of its own.
	ZooKeeper zookeeper.Options

	// Dialects are foreign formats that the client speaks to instances that do
	// not speak Rollcall's, best first.
	Dialects []Dialect

	// DefaultProtocol is assumed of instances that list no protocols: the name
	// of a Dialect, or ProtocolName. Empty: such instances are not called,
	// except those of a static target, which are taken for ProtocolName.
	DefaultProtocol string

	// TLS makes every connection to an instance one of TLS: it has the
	// authorities to trust and, where servers ask for one, a certificate. An empty
	// ServerName stands for the host of the instance. What a server's certificate
	// must be is decided here alone, never by the list. Nil: clear text.
	TLS *tls.Config

	// AllowPlaintext uses TLS only with instances whose entry says that they
	// serve it, and clear text with the others: for the time in which a fleet
	// moves to TLS. It needs TLS. Whoever can write the list can then have the
	// client speak clear text.
	AllowPlaintext bool

	// Token returns the bearer token of a call, which is sent as its metadata
	// "authorization", "Bearer …"; package auth has it from a file. An error fails
	// the call with CodeUnauthenticated, not executed. It is an error where
	// connections may be in clear text, unless AllowTokenInClearText says that
	// this is meant. Nil: none.
	Token                 func(ctx context.Context) (string, error)
	AllowTokenInClearText bool

	// Dial opens connections to instances, below TLS. Nil: it resolves the host's name
	// each time, and has its addresses race (RFC 8305): the next one is tried beside
	// the last where that has not answered within 250 ms. An error of one's own Dial
	// that is no net.Error and no end of a stream says nothing of the instance, and
	// nobody is set aside for it: where an instance refuses, say so by wrapping what
	// the network said, or syscall.ECONNREFUSED.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// ConnectTimeout bounds a dial, and after it the wait for the server's preface, TLS
	// included. Calls then go elsewhere, and the handshake goes on for up to ten times as
	// long: a server with many of them need not begin anew. 0: 1 s.
	ConnectTimeout time.Duration

	// KeepaliveInterval is how long a connection with calls outstanding may be
	// silent before the instance is asked whether it is there. 0: 300 ms;
	// negative: off.
	KeepaliveInterval time.Duration
	KeepaliveMisses   int // silent intervals until the connection is given up, at least 2; 0: 3

	MaxMessageBytes  int // of one reply; 0: 4 MiB; at most 2 GiB - 1
	MaxMetadataBytes int // of one reply; 0: 16 KiB; at most 60 KiB

	// Interceptors stand around every call, the first outermost. None: nothing is
	// called and nothing allocated for them.
	Interceptors []Interceptor

	// Events tell what the client does.
	Events ClientEvents

	// Defaults are used for what a call does not say itself: Timeout, Metadata,
	// WaitForReady, MaxAttempts, AttemptTimeout, Idempotent and Hedge. Methods are
	// the same by method, "Service/Method" or "Service/*". A call's own options go
	// before those of its method, these before those of its service, these before
	// what its Method says, and Defaults come last. Metadata is joined key by
	// key. What is true anywhere is true.
	Defaults CallOptions
	Methods  map[string]CallOptions

	// Debug says who may read the page of [Client.DebugHandler].
	Debug DebugOptions

	// Logger is told what an operator should know. Nil: slog.Default(). To hear
	// nothing give slog.New(slog.DiscardHandler).
	Logger *slog.Logger
}

func (o ClientOptions) withDefaults() ClientOptions {
	if o.Balancing.Policy == nil {
		o.Balancing.Policy = balancer.P2C
	}
	if o.Dial == nil {
		o.Dial = new(dialer.Dialer).DialContext
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// check returns what is wrong with the options, joined. registry: the instances
// are found with ZooKeeper.
func (o *ClientOptions) check(registry bool) error {
	problems := append(checkLimits(
		limit{"ClientOptions.KeepaliveMisses", o.KeepaliveMisses, 0},
		limit{"ClientOptions.MaxMessageBytes", o.MaxMessageBytes, frame.MaxMaxMessage},
		limit{"ClientOptions.MaxMetadataBytes", o.MaxMetadataBytes, frame.MaxMaxMetadata},
	),
		checkDuration("ClientOptions.ConnectTimeout", o.ConnectTimeout, "1 s"),
		checkZooKeeper("ClientOptions", &o.ZooKeeper, registry),
		checkDefaults("ClientOptions.Defaults", &o.Defaults),
		o.Debug.check("ClientOptions.Debug"),
	)
	if o.AllowPlaintext && o.TLS == nil {
		problems = append(problems, errors.New("rollcall: ClientOptions.AllowPlaintext without TLS: set TLS, or leave it out, for all is clear text"))
	}
	if o.Token != nil && (o.TLS == nil || o.AllowPlaintext) && !o.AllowTokenInClearText {
		problems = append(problems, errors.New("rollcall: ClientOptions.Token would go over clear text: set TLS without AllowPlaintext, or AllowTokenInClearText if that is meant"))
	}
	names := make([]string, len(o.Dialects))
	for i, d := range o.Dialects {
		if names[i] = d.Protocol; d.Protocol == "" || d.Dial == nil {
			problems = append(problems, fmt.Errorf("rollcall: ClientOptions.Dialects: %q needs Protocol and Dial", d.Protocol))
		}
		field := fmt.Sprintf("ClientOptions.Dialects[%q].", d.Protocol)
		problems = append(problems, checkLimits(
			limit{field + "MaxConnections", d.MaxConnections, 0},
			limit{field + "CallsPerConnection", d.CallsPerConnection, 0},
		)...)
	}
	problems = append(problems, checkNames("ClientOptions.Dialects", names...))
	if p := o.DefaultProtocol; p != "" && p != ProtocolName && !slices.Contains(names, p) {
		problems = append(problems, fmt.Errorf("rollcall: ClientOptions.DefaultProtocol %q: give %q or the Protocol of one of the Dialects", p, ProtocolName))
	}
	for i, f := range o.Interceptors {
		if f == nil {
			problems = append(problems, fmt.Errorf("rollcall: ClientOptions.Interceptors[%d] is nil: leave it out", i))
		}
	}
	for name, opts := range o.Methods {
		service := strings.TrimSuffix(name, "/*")
		if checkMethodName(name) != nil || service == "" || strings.Contains(service, "*") {
			problems = append(problems, fmt.Errorf("rollcall: ClientOptions.Methods[%q]: give the name of a method, or \"Service/*\"", name))
		}
		problems = append(problems, checkDefaults(fmt.Sprintf("ClientOptions.Methods[%q]", name), &opts))
	}
	return errors.Join(problems...)
}

// checkDefaults returns what is wrong with options that are for many calls.
func checkDefaults(field string, o *CallOptions) error {
	one := ""
	switch {
	case o.Codec != 0:
		one = "Codec"
	case o.Hash != 0:
		one = "Hash"
	case o.Instance != "":
		one = "Instance"
	case o.ReplyBuffer != nil:
		one = "ReplyBuffer"
	case o.Report != nil:
		one = "Report"
	}
	if one != "" {
		return fmt.Errorf("rollcall: %s.%s belongs to one call: give it with the call", field, one)
	}
	return o.check(field)
}
