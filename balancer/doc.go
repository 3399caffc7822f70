// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package balancer decides which instance gets the next call. A [Roster] keeps
// what is known about each instance, from the list and from the connections; a
// [Policy] makes of those that may be called a [Picker].
//
//	roster := balancer.NewRoster(balancer.Options{Policy: balancer.P2C}, balancer.Hooks{})
//	roster.Update(now, update)
//	endpoint := roster.Snapshot().Picker.Pick(balancer.PickInfo{Now: now})
//
// Nothing here reads a clock, starts a goroutine or touches the network: the
// caller says what happened and when, and asks when something is due next.
//
// # Identity
//
// An instance is the same one while its ID and its host and port stay; without
// an ID the host and port alone tell. Its slot keeps the connection
// ([Endpoint].Owner) and the load when the server writes a new entry or an
// operator changes its weight: there is then a new Endpoint, with the same
// Owner, in the place of the old one. Methods of the Roster take either.
//
// A younger entry (a greater Revision) of the same instance is news that it
// lives: whatever was held against the earlier one, failures or draining, is
// forgotten. An older entry that shows up again is no news.
//
// # States
//
//   - usable: listed, weight above 0, supported, and nothing speaks against it.
//   - set aside: nothing comes on its connection, until something does; or its
//     connection died or its dial failed. It is then probed after a pause, and
//     usable again once a connection stands. The pause is random
//     between 0 and a bound (full jitter); the bound starts at BackoffMin and
//     doubles up to BackoffMax with each failed probe. Failures reported within
//     one pause count once. Where nobody is usable, the pause is at most 1 s for
//     each instance that waits for its probe: somebody is waited for. An instance
//     that fails again within 10 s of its recovery goes on from the bound it had
//     reached; after 10 s without a failure it starts afresh.
//   - ejected: its calls, not its connection, speak against it; see below. After
//     a pause it is usable again, on trial.
//   - lingering: it left the list without a word, neither draining nor
//     disabled. It is forgotten after LingerFor, or at the first dial that fails
//     after it left, or when its ID or its address is listed anew. No more linger
//     than the list holds, or has held where it shrank to less than half: of those
//     that were replaced those that nothing was ever heard of go first, then those
//     that left first. A lingering
//     instance whose connection died is probed like one that was set aside. One
//     that comes back to the list is usable at once; but if it is the very
//     entry that left, what its connection has shown still holds.
//   - draining: it announced that it leaves. It is usable again after DrainFor
//     if its entry is still there; or when its connection has ended, it is probed as
//     if it were set aside, and does not say so again.
//   - leaving: likewise, and its entry is gone. It is forgotten when it refuses
//     a call or a dial or ends its connection, and DrainFor after its word.
//   - drained by operators: its Override says so, until that is taken back.
//     Disabled: weight 0. Unsupported: Hooks.Supported refused it. All three
//     are never picked, whatever else is left, and forgotten when they leave the
//     list; calls that were under way end as they would have.
//
// An empty list is a list like any other: those who left linger.
//
// # Panic
//
// Members are the instances that are usable, set aside or ejected, and those that
// linger. But these count only in a list that holds less than half of what it held
// at most in LingerFor, and not those that others had replaced before: a deployment
// is no disaster. While fewer than half of the members are usable (2 × usable <
// members) the list, or our view of the servers, is not to be trusted and there is
// panic: the candidates are then the usable members and those set aside, ejected or
// lingering whose last dial did not fail. Killing one server of two is no panic,
// nor is a deployment that puts others in the place of all; a list that became
// empty is, and leaves every member that it lost callable.
//
// Without panic the candidates are the usable members. If these rules leave
// nobody, the candidates are the members whose last dial failed, and if there
// are none, the draining and the leaving instances.
//
// A call that has failed on all candidates goes on to the first of these groups
// that it has not used up: the members set aside, ejected or lingering whose last
// dial did not fail; those that were replaced, where they do not count; if no member is usable, those whose last dial failed; the
// draining and the leaving instances. Only then there is nobody left to pick.
//
// # Ejection
//
// The caller tells how each attempt went ([Endpoint].Start and Finish). An
// instance is ejected
//
//   - for failures in a row: EjectAfter attempts that were lost, or answered with
//     an error that speaks against the server. Finish asks for a review at once.
//   - for its failure rate, reviewed every second while there are calls: of its
//     attempts of about the last 8 s a greater part failed than of the others',
//     by a tenth at least and by three standard deviations. It takes 20 attempts
//     of its own, and of the others.
//   - for its latency: in five reviews in a row its smoothed latency was more than
//     5 times the median of the others, and more than 50 ms above it. It takes 20
//     attempts on it in about 8 s, or that many in flight, so that they and the
//     others' tell of the same time, unless it is on trial; and three instances
//     that were called.
//
// The last two compare, so what slows down all, or fails all, ejects nobody: a
// starved machine, a database that is down. Each ejection takes capacity away that
// the others must have, so a tenth of the members may be ejected at a time
// (EjectPercent), and one in any list; but never so many that panic begins. Of two
// members one may be, a single one never. In a list of fewer than 20 a second
// faulty instance stays: where several fail it is more often something that they
// share than themselves, and p2c and retries go around it.
//
// The pause is EjectFor the first time, twice that the second, and so on up to 5
// minutes; each minute without an ejection forgives one. Then the instance is on
// trial: nothing is known of it, it has a tenth of its weight, which grows back
// within 10 s, and the first failure ejects it again. An ejection also ends when
// the connection dies, for then there are probes, and with a younger entry.
//
// # Slow start
//
// An instance that appears in a list that is being followed grows from a tenth of
// its weight to all of it within SlowStart, in ten steps, by the age of its entry
// on the registry's clock. That clock is never compared with the local one: an
// entry that appears says what time it is there at least, and from then on the
// local one measures what passes; of several entries the one counts that says the
// most. So an age is never taken for greater than it is. What the first list
// holds, and what appears after the registry was out of sight, is taken for old.
//
// Shares are relative to the greatest among the usable: where all are young, as
// after an outage, nobody is held back. An instance that registers again, and
// against which nothing was held, is the process that it was, and not young.
//
// # Concurrency
//
// The methods of a Roster must not be called concurrently: the caller holds a
// lock. A [Snapshot], its Picker and the methods of an [Endpoint] may be used
// from any goroutine, without a lock.
//
// # Caveats
//
// A Picker takes time proportional to its work, not to the number of candidates. A
// change of one instance does not look at the others either, but the Snapshot that
// follows copies what it shows of all: a third of a millisecond for 10,000 (see
// docs/balancing.md). Several changes before one Snapshot cost one.
package balancer
