// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

// asRolloutServer makes this test binary one server of the tests of rollouts. Its
// arguments are the registry, the address to listen on and the log of what it
// executes.
const asRolloutServer = "ROLLCALL_TEST_AS_ROLLOUT_SERVER"

// A noted call is logged before anything else happens.
type noted struct {
	ID uint64 `json:"id"`
}

// The methods of a rollout's server.
var (
	onceMethod    = rollcall.Method[noted, noted]{Name: "Rollout/Once"}
	againMethod   = rollcall.Method[noted, noted]{Name: "Rollout/Again", Idempotent: true}
	holdMethod    = rollcall.Method[noted, noted]{Name: "Rollout/Hold"}    // answers after the next release
	heldMethod    = rollcall.Method[noted, noted]{Name: "Rollout/Held"}    // answers when a call is held
	releaseMethod = rollcall.Method[noted, noted]{Name: "Rollout/Release"} // of the call that is held
)

// rolloutServer serves until SIGTERM and returns when it is drained.
func rolloutServer(registry, listen, log string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	executed, err := execlog.Open(log)
	if err != nil {
		return err
	}
	srv := rollcall.NewServer(rollcall.ServerOptions{Registry: registry, ZooKeeper: zookeeper.Options{SessionTimeout: 10 * time.Second}})
	held, release := make(chan struct{}), make(chan struct{})
	for _, method := range []rollcall.Method[noted, noted]{onceMethod, againMethod, holdMethod} {
		rollcall.Handle(srv, method, func(_ context.Context, n *noted) (*noted, error) {
			err := executed.Note(n.ID)
			if method.Name == holdMethod.Name {
				held <- struct{}{}
				<-release
			}
			return n, err
		})
	}
	rollcall.Handle(srv, heldMethod, func(_ context.Context, n *noted) (*noted, error) { <-held; return n, nil })
	rollcall.Handle(srv, releaseMethod, func(_ context.Context, n *noted) (*noted, error) { release <- struct{}{}; return n, nil })
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("serving %s\n", listener.Addr())
	return srv.Serve(ctx, listener)
}

// runRolloutServer is the process of one.
func runRolloutServer() {
	if err := rolloutServer(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(statusFailure)
	}
	os.Exit(statusOK)
}
