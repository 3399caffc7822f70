// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// usageEvery is how often a server is asked until it has used what is awaited.
const usageEvery = 20 * time.Millisecond

// A usage is what a server has used since it was started.
type usage struct {
	Connections int   `json:"connections"` // at once, at most
	Executed    int   `json:"executed"`    // calls that were begun
	memory      int64 // bytes at once, at most; 0: this system does not tell
}

func (s *Service) usage() usage {
	return usage{Connections: s.gate.Most(), Executed: s.executed}
}

// usage asks a server for what it has used.
func (sv *server) usage(ctx context.Context) (u usage, err error) {
	answer, err := sv.proc.ask(ctx, orderUsage)
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal([]byte(answer), &u); err != nil {
		return u, fmt.Errorf("%s: %q: %w", sv.proc.name(), answer, err)
	}
	u.memory = peakMemory(sv.proc.cmd.Process.Pid) // it may have no descriptor left to look itself
	return u, nil
}

// usages asks all servers.
func (s *stage) usages(ctx context.Context) ([]usage, error) {
	all := make([]usage, len(s.servers))
	for i, sv := range s.servers {
		var err error
		if all[i], err = sv.usage(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// awaitConnections waits until each of the servers has had so many at once.
func awaitConnections(ctx context.Context, servers []*server, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for _, sv := range servers {
		for {
			u, err := sv.usage(ctx)
			if err == nil && u.Connections >= n {
				break
			}
			if err == nil {
				err = pause.For(ctx, usageEvery)
			}
			if err != nil {
				return fmt.Errorf("%s had %d connections, it was to have %d: %w", sv.addr, u.Connections, n, err)
			}
		}
	}
	return nil
}

// most adds figures of what the servers have used, with their bounds: connections
// (0: none) and MiB.
func (s *stage) most(ctx context.Context, connections int, mebibytes float64) error {
	all, err := s.usages(ctx)
	if err != nil {
		return err
	}
	var most usage
	for _, u := range all {
		most.Connections = max(most.Connections, u.Connections)
		most.memory = max(most.memory, u.memory)
	}
	if connections > 0 {
		s.atMost("connections of a server", float64(most.Connections), float64(connections))
	}
	if most.memory > 0 {
		s.atMost("MiB of a server", float64(most.memory)/(1<<20), mebibytes)
	}
	return nil
}
