// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package simulation runs the code of package balancer against servers that
// exist in virtual time alone: some clients with a Roster each, an open loop of
// calls at random moments, servers with a few workers and a queue. An oracle that
// knows every server's queue and speed shows what could be had at best.
//
//	result := simulation.Run(simulation.SlowServer, simulation.Contender{Policy: balancer.P2C}, 1)
//
// A run depends on its seed alone.
//
// # Concurrency
//
// A run uses the goroutine of its caller; several may run at once.
package simulation
