// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// Options are the settings of a [Server]. Every zero value is the documented
// default. The names in parentheses are ZooKeeper's.
type Options struct {
	// TickTime is the unit of session time (tickTime). Sessions are looked over
	// once per tick, so one expires at most a tick late. Default 2 s.
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what a client may ask for
	// (minSessionTimeout, maxSessionTimeout). Defaults 2 and 20 ticks.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// HandshakeTimeout is how long a new connection may take until its first
	// request is complete (nio.sessionlessCnxnTimeout). Default 10 s.
	HandshakeTimeout time.Duration
	// MaxConnections bounds the connections (maxCnxns). One more is closed without
	// a word, unless there is one that has not sent its first request yet: then the
	// oldest of those is closed for it. Default 10000, negative: unlimited.
	MaxConnections int
	// MaxConnectionsPerHost bounds the connections from one address in the same way
	// (maxClientCnxns). Default 1000, negative: unlimited.
	MaxConnectionsPerHost int
	// MaxPendingConnections bounds those that have not sent their first request yet.
	// Default 1000, negative: unlimited.
	MaxPendingConnections int
	// MaxOutstanding bounds the writes, and the reads behind writes, that wait for
	// their turn (globalOutstandingLimit). Beyond it a connection is not read while
	// more than a few of its own wait. Default 10000, negative: unlimited.
	MaxOutstanding int
	// MaxUnreadBytes is how many bytes may wait for one client to read them: one more
	// message closes the connection, and its session lives on. From 256 KiB on the
	// client's requests are not read, so that only notifications come so far.
	// Default 16 MiB, negative: unlimited.
	MaxUnreadBytes int
	// MaxBufferedBytes bounds what the connections hold together of replies and
	// notifications that were not read, and of requests that were not received in
	// full. Beyond it those connections are closed that have been stuck for
	// longest. What is less than 64 KiB on a connection is not counted. Default
	// 256 MiB, or 8 times MaxPacketBytes if that is more; negative: unlimited.
	MaxBufferedBytes int64
	// MaxWatchBytes bounds the memory of the watches, each of which counts as 256
	// bytes and its path. Beyond it a connection that leaves one more watch, and
	// holds more than the others do on average, is closed. Default 1 GiB, negative:
	// unlimited.
	MaxWatchBytes int64
	// MaxPacketBytes is the greatest request; the connection of a greater one is
	// closed (jute.maxbuffer). Memory is taken as bytes arrive, at most twice what
	// has come. Replies are not limited. A handshake has 45. Default 1048575.
	MaxPacketBytes int
	// Epoch is the upper half of the zxid with which this life begins, 1 to 2^31-1.
	// It should be greater than the epoch of every earlier life of this address, or
	// clients that have seen more than there is lose their sessions. Where the data
	// has that epoch or a later one, the one behind that is used. Default: seconds
	// since the beginning of 2020; the lower half then begins with the fraction of the
	// second.
	Epoch int64
	// Clock tells the time. Default: the system's.
	Clock Clock
	// DigestAlgorithm is the hash of digest identities
	// (DigestAuthenticationProvider.digestAlg). Lists that were set with another one
	// match nobody. Default SHA1.
	DigestAlgorithm DigestAlgorithm
	// SuperDigest is the digest identity, "user:base64(hash(user:password))" as
	// [DigestAlgorithm.Digest] makes it, that may do everything
	// (DigestAuthenticationProvider.superDigest). Empty: nobody.
	SuperDigest string
	// DigestDisabled turns the scheme digest off
	// (DigestAuthenticationProvider.enabled=false): nobody can authenticate by it,
	// whoever SuperDigest names neither; a list with an entry of it is not valid, and
	// entries from before match nobody.
	DigestDisabled bool
	// EnsembleNames lets clients say which ensemble they mean, by the scheme ensemble
	// (authProvider.N=…EnsembleAuthenticationProvider): the connection of one that
	// means another is closed. They are the names of this one (ensembleAuthName). An
	// empty list that is not nil: any name will do. nil: there is no such scheme.
	EnsembleNames []string
	// ReconfigEnabled has an attempt to change the members of the ensemble answered
	// as one that this server has no code for, instead of as one that is not allowed
	// (reconfigEnabled). It fails either way.
	ReconfigEnabled bool
	// ExtendedTypes allows nodes with a time to live (extendedTypesEnabled).
	ExtendedTypes bool
	// EnforceQuota refuses what goes beyond a hard limit of a quota (enforceQuota).
	// Without it, and for soft limits, there is a warning in the log only.
	EnforceQuota bool
	// SkipACL lets everybody do everything (skipACL). Lists must still be valid.
	SkipACL bool
	// ContainerCheckInterval is how often containers without children and nodes
	// whose time to live is over are looked for and removed
	// (znode.container.checkIntervalMs). Default 1 min, negative: never.
	ContainerCheckInterval time.Duration
	// ContainerMaxPerMinute bounds how many of them are removed
	// (znode.container.maxPerMinute). Default 10000.
	ContainerMaxPerMinute int
	// ContainerMaxNeverUsed is after how long a container is removed that never
	// had a child (znode.container.maxNeverUsedIntervalMs). Default: never.
	ContainerMaxNeverUsed time.Duration
	// FourLetterWords are the commands that a connection may send in place of a
	// handshake (4lw.commands.whitelist); "*" stands for all that are built.
	// Default: ruok, srvr, stat, mntr, conf, isro, envi, dirs. An empty list that
	// is not nil: none but srvr, which is always answered, as by ZooKeeper.
	FourLetterWords []string
	// DataDir is where the tree and the sessions are kept, so that they survive
	// the end of the process and of the power (dataDir). It is made if it is not
	// there. Empty: they are in memory alone.
	DataDir string
	// Store are the settings of what keeps them; its FS, if it is not nil, takes
	// the place of DataDir, and its ReserveBytes are 256 KiB by default.
	Store store.Options
	// OnFatal is called, once, when the data cannot be kept any more because the
	// disk is full or fails. By then all connections are closed, and every Serve
	// is about to return the same error. It runs on a goroutine of the server and
	// must not call Close.
	OnFatal func(error)
	// Events are told what happens. The zero value: nobody is.
	Events Events
	// Logger receives what an operator should know. nil: nothing is logged.
	Logger *slog.Logger
}

// durable reports whether anything is kept on a disk.
func (o Options) durable() bool { return o.DataDir != "" || o.Store.FS != nil }

// A Clock tells the time and waits. Its methods may be called from any goroutine.
type Clock interface {
	// Now returns the current time. Sessions are measured by differences, for
	// which a monotonic reading is used where the value has one; ctime and mtime
	// are the wall clock's.
	Now() time.Time
	// After returns a channel that receives once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

const (
	defaultTickTime       = 2 * time.Second
	defaultHandshake      = 10 * time.Second
	defaultConnections    = 10000
	defaultPerHost        = 1000
	defaultPending        = 1000
	defaultOutstanding    = 10000
	defaultUnreadBytes    = 16 << 20
	defaultBufferedBytes  = 256 << 20
	defaultWatchBytes     = 1 << 30
	defaultMaxPacketBytes = 1<<20 - 1
	defaultReserveBytes   = 256 << 10
	// As in ContainerManager.
	defaultContainerCheck      = time.Minute
	defaultContainersPerMinute = 10000
	// epochBegin is 2020-01-01T00:00:00Z in seconds since 1970.
	epochBegin = 1577836800
	// minPacketBytes is the least that has a meaning. As with ZooKeeper nobody can
	// open a session below the 45 bytes of a handshake.
	minPacketBytes = 1
)

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	if o.TickTime == 0 {
		o.TickTime = defaultTickTime
	}
	if o.MinSessionTimeout == 0 {
		o.MinSessionTimeout = 2 * o.TickTime
	}
	if o.MaxSessionTimeout == 0 {
		o.MaxSessionTimeout = 20 * o.TickTime
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = defaultHandshake
	}
	o.MaxConnections = limit(o.MaxConnections, defaultConnections)
	o.MaxConnectionsPerHost = limit(o.MaxConnectionsPerHost, defaultPerHost)
	o.MaxPendingConnections = limit(o.MaxPendingConnections, defaultPending)
	o.MaxOutstanding = limit(o.MaxOutstanding, defaultOutstanding)
	if o.MaxPacketBytes == 0 {
		o.MaxPacketBytes = defaultMaxPacketBytes
	}
	o.MaxUnreadBytes = limit(o.MaxUnreadBytes, defaultUnreadBytes)
	o.MaxBufferedBytes = limit(o.MaxBufferedBytes, max(defaultBufferedBytes, 8*int64(o.MaxPacketBytes)))
	o.MaxWatchBytes = limit(o.MaxWatchBytes, defaultWatchBytes)
	if o.ContainerCheckInterval == 0 {
		o.ContainerCheckInterval = defaultContainerCheck
	}
	if o.ContainerMaxPerMinute == 0 {
		o.ContainerMaxPerMinute = defaultContainersPerMinute
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Epoch == 0 {
		o.Epoch = firstZxid(o.Clock.Now()) >> 32
	}
	if o.FourLetterWords == nil {
		o.FourLetterWords = defaultWords
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// limit returns a limit: 0 stands for its default, a negative one for the greatest
// number there is.
func limit[N int | int64](n, byDefault N) N {
	switch {
	case n == 0:
		return byDefault
	case n < 0:
		return math.MaxInt
	}
	return n
}

// check returns everything that is wrong with the options. Where two of them have
// to fit together, a default counts as what it stands for.
func (o *Options) check() error {
	filled := o.withDefaults()
	o = &filled
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("zkserver: "+format, args...))
		}
	}
	bad(o.TickTime < time.Millisecond, "TickTime %v: want at least 1ms", o.TickTime)
	bad(o.MinSessionTimeout < time.Millisecond, "MinSessionTimeout %v: want at least 1ms", o.MinSessionTimeout)
	bad(o.MaxSessionTimeout < o.MinSessionTimeout, "MaxSessionTimeout %v: want at least MinSessionTimeout %v",
		o.MaxSessionTimeout, o.MinSessionTimeout)
	bad(o.MaxSessionTimeout > math.MaxInt32*time.Millisecond, "MaxSessionTimeout %v: want at most %v",
		o.MaxSessionTimeout, math.MaxInt32*time.Millisecond)
	bad(o.HandshakeTimeout < 0, "HandshakeTimeout %v: want a positive duration", o.HandshakeTimeout)
	bad(o.MaxPacketBytes < minPacketBytes || o.MaxPacketBytes > math.MaxInt32/2,
		"MaxPacketBytes %d: want %d to %d", o.MaxPacketBytes, minPacketBytes, math.MaxInt32/2)
	bad(o.ContainerMaxPerMinute < 0, "ContainerMaxPerMinute %d: want a positive number", o.ContainerMaxPerMinute)
	bad(o.ContainerMaxNeverUsed < 0, "ContainerMaxNeverUsed %v: want a positive duration, or 0 for never", o.ContainerMaxNeverUsed)
	bad(o.Epoch < 1 || o.Epoch > math.MaxInt32, "Epoch %d: want 1 to %d", o.Epoch, math.MaxInt32)
	bad(o.DigestAlgorithm.sum() == nil, "DigestAlgorithm %q: want %s", o.DigestAlgorithm, digestNames)
	user, hash, ok := strings.Cut(o.SuperDigest, ":")
	bad(o.SuperDigest != "" && (!ok || user == "" || hash == ""),
		"SuperDigest %q: want user:base64(hash(user:password))", o.SuperDigest)
	for _, w := range o.FourLetterWords {
		bad(w != "*" && !isWord(w), "FourLetterWords %q: want * or one of %s", w, strings.Join(allWords(), ", "))
	}
	return errors.Join(errs...)
}

// firstZxid is that of an empty server that begins now. Two lives may begin
// within one second: the lower half tells them apart, and the later one begins
// beyond what the earlier can have written, for no server writes twice in a
// nanosecond.
func firstZxid(now time.Time) int64 {
	return max(1, now.Unix()-epochBegin)<<32 | 2*int64(now.Nanosecond())
}
