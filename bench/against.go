// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
)

// A twin is a system as the bench of another checkout has it.
type twin struct {
	program string // that bench
	system  string // its name there
}

// addTwins puts beside each system the same of another checkout, whose bench it
// builds in dir. Both ends of a twin's connections are the other checkout's.
func (p *plan) addTwins(ctx context.Context, dir string) error {
	program := filepath.Join(dir, "bench")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".") //nolint:gosec // the user names the place
	build.Dir = filepath.Join(p.against, "bench")
	if _, err := os.Stat(build.Dir); err != nil {
		return fmt.Errorf("-against %q: give the root of a checkout of Rollcall: %w", p.against, err)
	}
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("-against %q: its bench does not build: %w\n%s", p.against, err, said)
	}
	p.twins = map[string]twin{}
	var systems []echo.System
	for _, s := range p.systems {
		other := s
		other.Name, other.Beside, other.Measure = s.Name+" there", []string{s.Name}, "the same of "+p.against
		p.twins[other.Name] = twin{program: program, system: s.Name}
		systems = append(systems, s, other)
	}
	p.systems = systems
	return nil
}
