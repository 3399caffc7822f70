// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
)

const (
	rollcallSystem = "Rollcall"
	grpcSystem     = "grpc-go"
	grpcMethod     = "/bench.Overload/Work"
)

var (
	work    = rollcall.Method[[]byte, []byte]{Name: "Overload/Work"}
	payload = bytes.Repeat([]byte("payload!"), 128)
)

// worker returns what a handler does before it echoes.
func worker(text string) (func(), error) {
	kind, rest, _ := strings.Cut(text, " ")
	switch kind {
	case "echo":
		return func() {}, nil
	case "spin":
		return func() {
			for end := time.Now().Add(100 * time.Microsecond); time.Now().Before(end); {
			}
		}, nil
	case "lock":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return nil, err
		}
		var mu sync.Mutex
		return func() {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(d) //nolint:forbidigo // it is the work
		}, nil
	}
	return nil, fmt.Errorf("no work %q: give echo, spin or \"lock 10ms\"", text)
}

// serve is a server process: it prints where it serves.
func serve(ctx context.Context, system, text string, stdout io.Writer) error {
	do, err := worker(text)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, l.Addr())
	if system == grpcSystem {
		s := grpc.NewServer()
		s.RegisterService(&grpc.ServiceDesc{
			ServiceName: "bench.Overload", HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Work", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := new(wrapperspb.BytesValue)
				if err := decode(in); err != nil {
					return nil, err
				}
				do()
				return in, nil
			}}},
		}, nil)
		return s.Serve(l)
	}
	s := rollcall.NewServer(rollcall.ServerOptions{Logger: slog.New(slog.DiscardHandler)})
	rollcall.Handle(s, work, func(_ context.Context, in *[]byte) (*[]byte, error) {
		do()
		return in, nil
	})
	return s.Serve(ctx, l)
}

// dial returns a caller of the servers.
func dial(system string, addrs []string) (caller, error) {
	if system == grpcSystem {
		conn, err := grpc.NewClient(addrs[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		return grpcCaller{conn}, nil
	}
	client, err := rollcall.NewClient("static://"+strings.Join(addrs, ","), rollcall.ClientOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return rollcallCaller{client}, nil
}

type rollcallCaller struct{ client *rollcall.Client }

func (c rollcallCaller) call(ctx context.Context) error {
	body := payload
	reply, err := work.Call(ctx, c.client, &body)
	if errors.Is(err, &rollcall.Error{Reason: rollcall.ReasonBusy}) {
		return errBusy
	}
	if err == nil && !bytes.Equal(*reply, payload) {
		return errWrong
	}
	return err
}

func (c rollcallCaller) close() { c.client.Close() }

type grpcCaller struct{ conn *grpc.ClientConn }

func (c grpcCaller) call(ctx context.Context) error {
	out := new(wrapperspb.BytesValue)
	switch err := c.conn.Invoke(ctx, grpcMethod, wrapperspb.Bytes(payload), out); {
	case status.Code(err) == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case status.Code(err) == codes.ResourceExhausted, status.Code(err) == codes.Unavailable:
		return errBusy
	case err != nil:
		return err
	case !bytes.Equal(out.GetValue(), payload):
		return errWrong
	}
	return nil
}

func (c grpcCaller) close() { c.conn.Close() }
