// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package chaos breaks things under load and counts what the callers noticed. It
// runs servers as processes, calls them from clients in its own process, and
// plays scenarios: servers are killed, stopped, slowed, restarted and cut off,
// and so is the registry. A scenario says what it promises; a broken promise is
// reported.
//
//	report, err := chaos.Run(ctx, chaos.Config{
//		Server:   []string{executable, "chaos-server"},
//		Registry: []string{executable, "registry"},
//	})
//
// # What is measured
//
// Two loads run beside each other: an open loop, whose calls begin when they are
// due, and a closed loop of callers that each make one call after the other. Both
// call two methods at random: Get, which is idempotent, and Put, which is not.
// Servers note each call in a log before they work on it, so that what was
// executed is known after they were killed. Latencies are those of the open loop,
// counted from when the call should have begun.
//
// # What is promised
//
// While a healthy server is left no Get fails. A Put fails only as the scenario
// allows: perhaps executed, where it was under way to a server that died or hung,
// or answered with an error by the server itself. No Put is executed twice. What
// an error says of the execution is true. No call waits longer than
// Config.MaxWait.
//
// # Concurrency
//
// Run may be called once at a time; scenarios are played one after the other.
// Every process that it starts has ended when it returns; on Linux they end with
// this process too, SIGKILL included.
package chaos
