// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/chaos"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

// The service, as protoc-gen-go-grpc makes it of
//
//	service Chaos {
//	  rpc Get(google.protobuf.UInt64Value) returns (google.protobuf.UInt64Value);
//	  rpc Put(google.protobuf.UInt64Value) returns (google.protobuf.UInt64Value);
//	}
const (
	service   = "chaos.Chaos"
	methodGet = "Get"
	methodPut = "Put"
)

type executor interface {
	Execute(ctx context.Context, id uint64) error
}

func serviceDesc() *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*executor)(nil)}
	for _, name := range []string{methodGet, methodPut} {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name, Handler: handle})
	}
	return desc
}

func handle(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc-go has this order
	in := new(wrapperspb.UInt64Value)
	if err := decode(in); err != nil {
		return nil, err
	}
	err := srv.(executor).Execute(ctx, in.GetValue())
	if errors.Is(err, chaos.ErrUnavailable) {
		err = status.Error(codes.Unavailable, err.Error())
	}
	return in, err
}

// serveGRPCServer is chaos.Serve with grpc-go. When ctx ends it leaves the list,
// then stops gracefully.
func serveGRPCServer(ctx context.Context, opts chaos.ServerOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	log, err := execlog.Open(opts.Log)
	if err != nil {
		return err
	}
	defer log.Close() // nothing is buffered
	gate, err := chaos.NewGate(opts.Listen)
	if err != nil {
		return err
	}
	executes := chaos.NewService(log, gate)
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	server.RegisterService(serviceDesc(), executes)
	fmt.Fprintf(stdout, "serving %s\n", gate.Addr())
	go func() { // it ends with stdin, or with the process
		if err := executes.Obey(stdin, stdout); err != nil {
			fmt.Fprintln(stderr, err)
		}
		server.Stop()
	}()
	leave, err := register(opts, gate.Addr())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		leave()
		server.GracefulStop()
	})
	defer stop()
	return server.Serve(gate)
}

// register puts the server into the list and returns what takes it out.
func register(opts chaos.ServerOptions, addr net.Addr) (leave func(), err error) {
	target, err := discovery.ParseTarget(opts.Registry)
	if err != nil {
		return nil, err
	}
	session, err := zookeeper.Open(target.Hosts, zookeeper.Options{SessionTimeout: opts.Session})
	if err != nil {
		return nil, err
	}
	tcp := addr.(*net.TCPAddr)
	registration, err := session.Registrar(target.Path).Register(discovery.Instance{
		ID: addr.String(), Host: tcp.IP.String(), Port: tcp.Port, Protocols: []string{"grpc"}, Weight: discovery.DefaultWeight,
	})
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		registration.Deregister(ctx) //nolint:errcheck // the session's end does the rest
		session.Close()              // likewise
	}, err
}
