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
	if len(os.Args) > 1 {
		switch command := os.Args[1]; {
		case command == "registry":
			os.Exit(runRegistry(ctx, os.Args[2:], os.Stdout, os.Stderr))
		case servesRegistry(command):
			os.Exit(runRegistryServer(ctx, command, os.Args[2:]))
		}
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run measures calls: the command without a name.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return perform(ctx, "bench", parsePlan, args, stdout, stderr)
}

// runRegistry measures registries: the command "registry".
func runRegistry(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return perform(ctx, "bench registry", parseRegistryPlan, args, stdout, stderr)
}

// A measuring is what a command line asks for, P its plan and R its report.
type measuring[R any] interface {
	run(ctx context.Context, progress io.Writer) (R, error)
	outputKind() string
}

// A printed is what was measured.
type printed interface {
	print(w io.Writer, output string) error
}

// perform reads a command line, measures and prints.
func perform[P measuring[R], R printed](ctx context.Context, name string, parse func([]string, io.Writer) (P, error), args []string, stdout, stderr io.Writer) int {
	p, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\nsee \"%s -h\"\n", err, name)
		return statusUsage
	}
	rep, err := p.run(ctx, stderr)
	if err == nil {
		err = rep.print(stdout, p.outputKind())
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return statusFailure
	}
	return statusOK
}
