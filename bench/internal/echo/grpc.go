// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

func grpcSystem() System {
	return System{
		Name: "grpc-go", Module: "google.golang.org/grpc", Beside: []string{"rollcall", "rollcall+protobuf"},
		Measure: "default options, unary, protobuf's google.protobuf.BytesValue",
		Serve:   serveGRPC, Dial: dialGRPC,
	}
}

func grpcTLS() System {
	return System{
		Name: "grpc-tls", Module: "google.golang.org/grpc", Beside: []string{"rollcall-tls"},
		Measure: "grpc-go with credentials.NewTLS, TLS 1.3 and the same certificate",
		Serve: func(ctx context.Context, l net.Listener) error {
			config, err := serverTLS()
			if err != nil {
				return err
			}
			return serveGRPCWith(ctx, l, grpc.Creds(credentials.NewTLS(config)))
		},
		Dial: func(ctx context.Context, addr string) (Conn, error) {
			config, err := clientTLS()
			if err != nil {
				return nil, err
			}
			return dialGRPCWith(ctx, addr, credentials.NewTLS(config))
		},
	}
}

const protoMethod = "/bench.Bench/Echo"

// grpcService is what protoc-gen-go-grpc makes of
//
//	service Bench { rpc Echo(google.protobuf.BytesValue) returns (google.protobuf.BytesValue); }
func grpcService() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "bench.Bench",
		HandlerType: (*protoEcho)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Echo",
			Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := new(wrapperspb.BytesValue)
				if err := decode(in); err != nil {
					return nil, err
				}
				return srv.(protoEcho).Echo(ctx, in)
			},
		}},
	}
}

// protoEcho is the service as an interface.
type protoEcho interface {
	Echo(ctx context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error)
}

type protoService struct{}

func (protoService) Echo(_ context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return in, nil
}

func serveGRPC(ctx context.Context, l net.Listener) error { return serveGRPCWith(ctx, l) }

func serveGRPCWith(ctx context.Context, l net.Listener, opts ...grpc.ServerOption) error {
	srv := grpc.NewServer(opts...)
	srv.RegisterService(grpcService(), protoService{})
	stop := context.AfterFunc(ctx, srv.Stop)
	defer stop()
	err := srv.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type grpcConn struct{ *grpc.ClientConn }

func dialGRPC(ctx context.Context, addr string) (Conn, error) {
	return dialGRPCWith(ctx, addr, insecure.NewCredentials())
}

func dialGRPCWith(ctx context.Context, addr string, creds credentials.TransportCredentials) (Conn, error) {
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		return nil, err
	}
	cc.Connect()
	for state := cc.GetState(); state != connectivity.Ready; state = cc.GetState() {
		if !cc.WaitForStateChange(ctx, state) {
			cc.Close() // it is of no use
			return nil, ctx.Err()
		}
	}
	return grpcConn{cc}, nil
}

func (c grpcConn) Caller(int) load.Echo {
	return func(payload []byte) ([]byte, error) {
		out := new(wrapperspb.BytesValue)
		err := c.Invoke(context.Background(), protoMethod, &wrapperspb.BytesValue{Value: payload}, out)
		return out.GetValue(), err
	}
}
