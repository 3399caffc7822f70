// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"log/slog"
	"net"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

func rollcallSystem() System {
	return System{
		Name: "rollcall", Measure: "Client.Invoke with a ReplyBuffer, a static target",
		Serve: serveRollcall, Dial: dialRollcall,
	}
}

// rollcallDoors has on each side one of what a call can pass, and each does nothing.
func rollcallDoors() System {
	return System{
		Name: "rollcall+doors", Measure: "the same with an admission, and on each side an interceptor and the events CallBegin and CallEnd, all empty",
		Serve: func(ctx context.Context, l net.Listener) error {
			return serveRollcallWith(ctx, l, rollcall.ServerOptions{
				Admissions:   []rollcall.Admission{func(ctx context.Context, _ *rollcall.CallInfo) (context.Context, error) { return ctx, nil }},
				Interceptors: []rollcall.Interceptor{passOn},
				Events: rollcall.ServerEvents{
					CallBegin: func(ctx context.Context, _ *rollcall.CallInfo) context.Context { return ctx },
					CallEnd:   func(context.Context, rollcall.ServerCallEnd) {},
				},
			})
		},
		Dial: func(ctx context.Context, addr string) (Conn, error) {
			return dialRollcallWith(ctx, addr, rollcall.ClientOptions{
				Interceptors: []rollcall.Interceptor{passOn},
				Events: rollcall.ClientEvents{
					CallBegin: func(ctx context.Context, _ *rollcall.CallInfo) context.Context { return ctx },
					CallEnd:   func(context.Context, rollcall.ClientCallEnd) {},
				},
			})
		},
	}
}

// passOn is an interceptor that does nothing.
func passOn(next rollcall.Handler) rollcall.Handler {
	return func(ctx context.Context, call *rollcall.CallInfo, request any) (any, error) {
		return next(ctx, call, request)
	}
}

// protobufEcho carries what grpc-go does.
var protobufEcho = rollcall.Method[wrapperspb.BytesValue, wrapperspb.BytesValue]{Name: "Bench/EchoValue", Idempotent: true}

func rollcallProtobuf() System {
	return System{
		Name: "rollcall+protobuf", Measure: "Method.Call with protobuf's google.protobuf.BytesValue, as grpc-go",
		Serve: serveRollcall,
		Dial: func(ctx context.Context, addr string) (Conn, error) {
			conn, err := dialRollcall(ctx, addr)
			if err != nil {
				return nil, err
			}
			return protobufConn{conn.(rollcallConn)}, nil
		},
	}
}

// A protobufConn is a rollcallConn whose callers send messages.
type protobufConn struct{ rollcallConn }

func (c protobufConn) Caller(int) load.Echo {
	return func(payload []byte) ([]byte, error) {
		out, err := protobufEcho.Call(context.Background(), c.client, &wrapperspb.BytesValue{Value: payload})
		return out.GetValue(), err
	}
}

func rollcallTLS() System {
	return System{
		Name: "rollcall-tls", Measure: "rollcall with TLS 1.3",
		Serve: func(ctx context.Context, l net.Listener) error {
			config, err := serverTLS()
			if err != nil {
				return err
			}
			return serveRollcallWith(ctx, l, rollcall.ServerOptions{TLS: config})
		},
		Dial: func(ctx context.Context, addr string) (Conn, error) {
			config, err := clientTLS()
			if err != nil {
				return nil, err
			}
			return dialRollcallWith(ctx, addr, rollcall.ClientOptions{TLS: config})
		},
	}
}

// rollcallEcho is declared as an application declares it.
var rollcallEcho = rollcall.Method[[]byte, []byte]{Name: "Bench/Echo", Idempotent: true}

func serveRollcall(ctx context.Context, l net.Listener) error {
	return serveRollcallWith(ctx, l, rollcall.ServerOptions{})
}

func serveRollcallWith(ctx context.Context, l net.Listener, opts rollcall.ServerOptions) error {
	opts.Logger, opts.DrainDelay, opts.DrainTimeout = slog.New(slog.DiscardHandler), -1, -1
	srv := rollcall.NewServer(opts)
	rollcall.Handle(srv, rollcallEcho, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	rollcall.Handle(srv, protobufEcho, func(_ context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) { return in, nil })
	return srv.Serve(ctx, l)
}

// A rollcallConn is a client: it keeps one connection to each instance, and
// there is one instance.
type rollcallConn struct{ client *rollcall.Client }

func dialRollcall(ctx context.Context, addr string) (Conn, error) {
	return dialRollcallWith(ctx, addr, rollcall.ClientOptions{})
}

func dialRollcallWith(ctx context.Context, addr string, opts rollcall.ClientOptions) (Conn, error) {
	opts.Logger = slog.New(slog.DiscardHandler)
	client, err := rollcall.NewClient("static://"+addr, opts)
	if err != nil {
		return nil, err
	}
	if err := client.Ready(ctx); err != nil {
		client.Close() // it is of no use
		return nil, err
	}
	return rollcallConn{client}, nil
}

func (c rollcallConn) Caller(int) load.Echo {
	opts := rollcall.CallOptions{Idempotent: rollcallEcho.Idempotent, ReplyBuffer: []byte{}}
	return func(payload []byte) ([]byte, error) {
		reply, err := c.client.Invoke(context.Background(), rollcallEcho.Name, payload, opts)
		if err == nil {
			opts.ReplyBuffer = reply // for the next one
		}
		return reply, err
	}
}

func (c rollcallConn) Close() error { return c.client.Close() }
