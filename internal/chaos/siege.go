// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"strconv"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// Limits are what the servers of a scenario are bounded by. 0: as by default.
type Limits struct {
	MaxConnections   int
	MaxStreams       int
	MaxBufferedBytes int64
	MaxFiles         int // descriptors of the process
}

// flags returns them as flags of a server's command.
func (l *Limits) flags() (flags []string) {
	if l.MaxConnections > 0 {
		flags = append(flags, "--max-connections", strconv.Itoa(l.MaxConnections))
	}
	if l.MaxFiles > 0 {
		flags = append(flags, "--max-files", strconv.Itoa(l.MaxFiles))
	}
	if l.MaxStreams > 0 {
		flags = append(flags, "--max-streams", strconv.Itoa(l.MaxStreams))
	}
	if l.MaxBufferedBytes > 0 {
		flags = append(flags, "--max-buffered", strconv.FormatInt(l.MaxBufferedBytes, 10))
	}
	return flags
}

const (
	fewConnections = 200
	manyStrangers  = 500 // for each server

	// leaving is how many connections there may be beyond ServerOptions.MaxConnections:
	// those that were told to go, and the one that has just been accepted.
	leaving = 1 + max(8, fewConnections/16)

	// strangersMiB is what a server may take with all of them: it takes half of it
	// without.
	strangersMiB = 100
)

const (
	fewFiles      = 100
	fileStrangers = 200 // for each server

	// ownFiles is how many descriptors a server needs itself, amply: its log, its
	// listener, its session, its standard streams.
	ownFiles = 25
)

const (
	stuckStrangers = 4       // for each server, half of them of either manner
	littleBuffered = 8 << 20 // they send half as much again
	fewStreams     = 100
	stuckFor       = 2 * time.Second

	// stuckMiB is what a server may take beside them: what it takes at most without,
	// what it holds of requests, a reply for each stream of who does not read, and as
	// much again until it is collected.
	stuckMiB = strangersMiB/2 + 2*(littleBuffered+stuckStrangers/2*fewStreams*fillBytes)>>20

	// drainLimit is what rollcall.DefaultDrainTimeout promises of the whole drain.
	drainLimit = 25 * time.Second
)

// mostBesieged is how many servers strangers come to: they have descriptors of this
// process.
const mostBesieged = 5

// A siege is a crowd of strangers before the servers, and what is awaited of it.
type siege struct {
	strangers   int // for each server
	manners     []manner
	connections int // that each server has had before it counts
	least       time.Duration
}

// besieged is a siege, new clients that come meanwhile, and then what then is.
func (s *stage) besieged(ctx context.Context, by siege, then func() error) error {
	before := s.servers[:min(len(s.servers), mostBesieged)]
	leave := invite(ctx, before, by.strangers, by.manners...)
	defer leave()
	s.strike(ctx)
	if err := awaitConnections(ctx, before, by.connections); err != nil {
		return err
	}
	stop := s.newcomers(ctx)
	err := pause.For(ctx, max(by.least, s.cfg.Duration/2))
	if err == nil {
		err = then()
	}
	served, failed := stop()
	if err != nil {
		return err
	}
	if failed != nil {
		s.broken = append(s.broken, Broken{Promise: "a new client is served", Example: failed.Error()})
	}
	s.atLeast("new clients served", float64(served), 1)
	s.heal()
	return nil
}

func silentStrangers(ctx context.Context, s *stage) error {
	return s.besieged(ctx, siege{strangers: manyStrangers, manners: silence, connections: fewConnections}, func() error {
		return s.most(ctx, fewConnections+leaving, strangersMiB)
	})
}

// stuckClients drains a server beside them too.
func stuckClients(ctx context.Context, s *stage) error {
	return s.besieged(ctx, siege{strangers: stuckStrangers, manners: stuck, connections: stuckStrangers, least: stuckFor}, func() error {
		if err := s.most(ctx, 0, stuckMiB); err != nil {
			return err
		}
		drain, err := s.replace(ctx, s.servers[0]) // strangers are there
		s.atMost("seconds of a drain", drain.Seconds(), drainLimit.Seconds())
		return err
	})
}

// outOfFiles has no bound of connections, for the descriptors are one.
func outOfFiles(ctx context.Context, s *stage) error {
	return s.besieged(ctx, siege{strangers: fileStrangers, manners: silence, connections: fewFiles - ownFiles}, func() error {
		return s.most(ctx, fewFiles, strangersMiB)
	})
}
