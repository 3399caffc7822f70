// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package overload keeps a server that is asked for more than it can do at what it
// can do, without being told what that is.
//
// A server falls over because it goes on with what nobody waits for any more: each
// answer comes a moment too late, and the next call has waited the longer for it.
// So the sign of it is lateness, not load, latency or CPU: as long as calls are
// answered in time, a [Limiter] leaves everything alone, however long they take.
// When a fifth of the ended calls were late, it bounds how many are in hand. By
// Little's law N calls in hand that end at a rate X take N/X each: with X as
// measured and the time T that calls have, N = X·T/2 lets them end in half of it.
// The share, one half, is then lowered and raised as calls are late or not
// (multiplicatively, as TCP's window and the AIMD limit of Netflix'
// concurrency-limits: a late call is the lost packet), and N follows X.
//
// Calls can be late for other reasons: one in three hangs in a database, or they
// have less time than the work takes. Then a limit is of no use, and those that
// hang would fill it. So a new limit is on trial: if no more calls are in time with
// it than before, it is taken back, and none is set for 10 s, twice as long each
// time, up to 5 min.
//
// There is a Limiter for each method, for what makes a method slow, a lock or a
// database, need not be another's; what they share, the CPU, makes all of them late.
// It knows nothing of calls, connections or clocks.
package overload
