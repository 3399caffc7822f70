// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command client calls divide(0), divide(1), … on whichever servers are
// there, and prints who answered what.
//
//	client -registry zk://127.0.0.1:2181/rpc -n 50 -interval 1s
package main

import "github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"

func main() { cli.Main(run) }
