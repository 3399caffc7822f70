// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
)

// benchEcho is what "rollcall bench" calls: the reply is the request.
var benchEcho = rollcall.Method[[]byte, []byte]{Name: "Bench/Echo", Idempotent: true}

func newBench() *cobra.Command {
	return group(&cobra.Command{
		Use:   "bench COMMAND",
		Short: "Measure calls: an echo server, and load on such servers",
		Long: `Measure what calls cost here: an echo server, and load on any number of them.

What is compared by such figures should be measured in turns, on a machine that
does nothing else.`,
		Example: `  rollcall bench serve --listen 127.0.0.1:8001
  rollcall bench run static://127.0.0.1:8001 --callers 100 --size 1024 --duration 10s`,
	}, newBenchServe(), newBenchRun())
}
