// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

func drpcSystem() System {
	return System{
		Name: "drpc", Module: "storj.io/drpc",
		Measure: "default options, unary, protobuf's google.protobuf.BytesValue; a connection carries one call at a time, the others wait",
		Serve:   serveDRPC, Dial: dialDRPC,
	}
}

// drpcEncoding is what protoc-gen-go-drpc makes.
type drpcEncoding struct{}

func (drpcEncoding) message(msg drpc.Message) (proto.Message, error) {
	m, ok := msg.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a protobuf message", msg)
	}
	return m, nil
}

// Marshal implements [drpc.Encoding].
func (e drpcEncoding) Marshal(msg drpc.Message) ([]byte, error) { return e.MarshalAppend(nil, msg) }

// MarshalAppend is found by drpc, which then reuses its buffer.
func (e drpcEncoding) MarshalAppend(b []byte, msg drpc.Message) ([]byte, error) {
	m, err := e.message(msg)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{}.MarshalAppend(b, m)
}

// Unmarshal implements [drpc.Encoding].
func (e drpcEncoding) Unmarshal(b []byte, msg drpc.Message) error {
	m, err := e.message(msg)
	if err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

// drpcDescription describes the service of grpcService to drpc.
type drpcDescription struct{}

// NumMethods implements [drpc.Description].
func (drpcDescription) NumMethods() int { return 1 }

// Method implements [drpc.Description].
func (drpcDescription) Method(int) (rpc string, encoding drpc.Encoding, receiver drpc.Receiver, method any, ok bool) {
	receive := func(srv any, ctx context.Context, in, _ any) (drpc.Message, error) {
		return srv.(protoEcho).Echo(ctx, in.(*wrapperspb.BytesValue))
	}
	return protoMethod, drpcEncoding{}, receive, protoEcho.Echo, true
}

func serveDRPC(ctx context.Context, l net.Listener) error {
	mux := drpcmux.New()
	if err := mux.Register(protoService{}, drpcDescription{}); err != nil {
		return err
	}
	err := drpcserver.New(mux).Serve(ctx, l)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	return err
}

type drpcConn struct{ *drpcconn.Conn }

func dialDRPC(ctx context.Context, addr string) (Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return drpcConn{drpcconn.New(conn)}, nil
}

func (c drpcConn) Caller(int) load.Echo {
	return func(payload []byte) ([]byte, error) {
		out := new(wrapperspb.BytesValue)
		err := c.Invoke(context.Background(), protoMethod, drpcEncoding{}, &wrapperspb.BytesValue{Value: payload}, out)
		return out.GetValue(), err
	}
}
