// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Bench compares Rollcall with other RPC systems of Go, and with the least that
// raw sockets can do, on one machine:
//
//	cd bench && go run .
//
// Every measurement is two fresh processes, a server and a client, on loopback.
// The systems take turns within each run, because absolute figures drift: only
// ratios taken within one run are compared. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses.
const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if child := childOf(os.Args[1:]); child != nil {
		os.Exit(runChild(ctx, child, os.Args[2:]))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p, err := parsePlan(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\nsee \"bench -h\"\n", err)
		return statusUsage
	}
	rep, err := p.run(ctx, stderr)
	if err == nil {
		err = rep.print(stdout, p.output)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return statusFailure
	}
	return statusOK
}
