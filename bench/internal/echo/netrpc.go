// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"errors"
	"net"
	"net/rpc"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

func netRPC() System {
	return System{
		Name: "net/rpc", Measure: "the standard library's, gob, a []byte each way",
		Serve: serveNetRPC, Dial: dialNetRPC,
	}
}

type netRPCService struct{}

// Echo has the shape that net/rpc demands.
func (netRPCService) Echo(in, out *[]byte) error {
	*out = *in
	return nil
}

func serveNetRPC(ctx context.Context, l net.Listener) error {
	srv := rpc.NewServer()
	if err := srv.RegisterName("Bench", netRPCService{}); err != nil {
		return err
	}
	return serveConns(ctx, l, func(conn net.Conn) { srv.ServeConn(conn) })
}

type netRPCConn struct{ client *rpc.Client }

func dialNetRPC(ctx context.Context, addr string) (Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return netRPCConn{rpc.NewClient(conn)}, nil
}

func (c netRPCConn) Caller(int) load.Echo {
	request := new([]byte)
	return func(payload []byte) ([]byte, error) {
		*request = payload
		var reply []byte
		err := c.client.Call("Bench.Echo", request, &reply)
		return reply, err
	}
}

func (c netRPCConn) Close() error {
	if err := c.client.Close(); !errors.Is(err, rpc.ErrShutdown) {
		return err
	}
	return nil
}
