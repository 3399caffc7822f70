// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"strconv"
)

// Limits are what the servers of a scenario are bounded by. 0: as by default.
type Limits struct {
	MaxConnections int
}

// flags returns them as flags of a server's command.
func (l *Limits) flags() (flags []string) {
	if l.MaxConnections > 0 {
		flags = append(flags, "--max-connections", strconv.Itoa(l.MaxConnections))
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

// A siege is a crowd of strangers before every server, and what is awaited of it.
type siege struct {
	strangers   int // for each server
	manners     []manner
	connections int // that each server has had before it counts
}

// besieged is a siege, new clients that come meanwhile, and then what then is.
func (s *stage) besieged(ctx context.Context, by siege, then func() error) error {
	leave := s.invite(ctx, by.strangers, by.manners...)
	defer leave()
	s.strike(ctx)
	if err := s.awaitConnections(ctx, by.connections); err != nil {
		return err
	}
	stop := s.newcomers(ctx)
	err := s.hold(ctx)
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
	return s.besieged(ctx, siege{manyStrangers, silence, fewConnections}, func() error {
		return s.most(ctx, fewConnections+leaving, strangersMiB)
	})
}
