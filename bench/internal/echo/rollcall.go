// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"log/slog"
	"net"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

func rollcallSystem() System {
	return System{
		Name: "rollcall", Measure: "Client.Invoke with a ReplyBuffer, a static target",
		Serve: serveRollcall, Dial: dialRollcall,
	}
}

// rollcallEcho is declared as an application declares it.
var rollcallEcho = rollcall.Method[[]byte, []byte]{Name: "Bench/Echo", Idempotent: true}

func serveRollcall(ctx context.Context, l net.Listener) error {
	srv := rollcall.NewServer(rollcall.ServerOptions{Logger: slog.New(slog.DiscardHandler), DrainDelay: -1, DrainTimeout: -1})
	rollcall.Handle(srv, rollcallEcho, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	return srv.Serve(ctx, l)
}

// A rollcallConn is a client: it keeps one connection to each instance, and
// there is one instance.
type rollcallConn struct{ client *rollcall.Client }

func dialRollcall(ctx context.Context, addr string) (Conn, error) {
	client, err := rollcall.NewClient("static://"+addr, rollcall.ClientOptions{Logger: slog.New(slog.DiscardHandler)})
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
