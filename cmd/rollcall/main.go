// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Rollcall is the command line of the Rollcall library: a registry to begin
// with, a look at who is there and orders for them, a call by hand, the znode tree,
// and a demonstration.
//
//	rollcall demo
//	rollcall registry --memory
//	rollcall ls --watch
//	rollcall drain zk://127.0.0.1:2181/rpc 10.1.2.3:8001
//	rollcall call zk://127.0.0.1:2181/rpc Divide/Divide '{"num1":6,"num2":3}'
//	rollcall zk ls -R /rpc
//
// Data goes to stdout, everything else to stderr. The exit status is 0 for
// success, 1 for failure and 2 for wrong usage. SIGINT and SIGTERM end a command
// in order; a second one ends it at once.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on the next one has its usual effect.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
