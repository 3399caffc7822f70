// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// demoSession is the session timeout of the demonstration: how long the list
// shows a server that was killed.
const demoSession = 2 * time.Second

// A fraction is what the demonstration's service is asked for, a quotient what
// it answers.
type (
	fraction struct {
		Num1 int32  `json:"num1"`
		Num2 *int32 `json:"num2,omitempty"` // nil: 1
	}
	quotient struct {
		Value float32 `json:"value"`
	}
)

// divideMethod is the demonstration's one method.
var divideMethod = rollcall.Method[fraction, quotient]{Name: "Divide/Divide", Idempotent: true}

func divide(_ context.Context, f *fraction) (*quotient, error) {
	by := int32(1)
	if f.Num2 != nil {
		by = *f.Num2
	}
	if by == 0 {
		return nil, rollcall.Errorf(rollcall.CodeInvalidArgument, "INVALID_OPERATION", "num2 is 0: give another number to divide by")
	}
	return &quotient{Value: float32(f.Num1) / float32(by)}, nil
}

// newDemoServer is the hidden command that the demonstration's servers run. It
// prints "serving HOST:PORT", is drained by SIGTERM, and ends with its stdin, so
// that it does not outlive a demonstration that was killed.
func newDemoServer() *cobra.Command {
	listen := address("127.0.0.1:0")
	var registry string
	cmd := &cobra.Command{
		Use:    "demo-server",
		Short:  "One server of the demonstration",
		Hidden: true,
		Args:   argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			server := rollcall.NewServer(rollcall.ServerOptions{
				Registry:  registry,
				ZooKeeper: zookeeper.Options{SessionTimeout: demoSession},
				Logger:    slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError})),
			})
			rollcall.Handle(server, divideMethod, divide)
			listener, err := listenOrFree(string(listen))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "serving %s\n", listener.Addr())
			go func() { // it ends with stdin, or with the process
				io.Copy(io.Discard, cmd.InOrStdin()) //nolint:errcheck // the end is all that matters
				server.Close()                       // Serve tells
			}()
			if err := server.Serve(cmd.Context(), listener); !errors.Is(err, rollcall.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().Var(&listen, "listen", "where to serve; a free port where that one is taken")
	cmd.Flags().StringVar(&registry, "registry", defaultTarget, "`TARGET` whose list the server joins")
	return cmd
}

// listenOrFree listens on the address, or on a free port of its host where the
// port is taken.
func listenOrFree(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}
