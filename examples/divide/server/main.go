// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command server divides for whoever calls: Rollcall's clients and those
// that speak the divide format.
//
//	server -registry zk://127.0.0.1:2181/rpc 127.0.0.1 8001
package main

import "github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"

func main() { cli.Main(run) }
