// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

const (
	// forgiven is how long after its answer to a slow call a server gets half of its
	// fair share again, at the latest.
	forgiven = 2 * time.Second

	// shareTime is how long it is looked who gets the calls.
	shareTime = time.Second
	halfShare = 0.5
)

// slowOnce lets one server after the other be slow on one call.
func slowOnce(ctx context.Context, s *stage) error {
	s.strike(ctx)
	for i, slow := range []time.Duration{200 * time.Millisecond, time.Second} {
		victim := i % len(s.servers)
		if err := s.servers[victim].proc.order(ctx, orderOnce+slow.String()); err != nil {
			return err
		}
		// The call comes within milliseconds: there are many, and it may be any.
		if err := pause.For(ctx, slow); err != nil {
			return err
		}
		at, err := s.share(ctx, victim, forgiven/4)
		if err != nil {
			return err
		}
		s.measured(fmt.Sprintf("share of the fair one from the end of a call of %v on", slow), at)
		if err := pause.For(ctx, forgiven-forgiven/4); err != nil {
			return err
		}
		back, err := s.share(ctx, victim, shareTime)
		if err != nil {
			return err
		}
		s.atLeast(fmt.Sprintf("share of the fair one %v after a call of %v", forgiven, slow), back, halfShare)
	}
	s.heal()
	return nil
}

// share returns how many calls the server of an index gets in a while, as a share of
// what each would get if all got the same.
func (s *stage) share(ctx context.Context, of int, during time.Duration) (float64, error) {
	before, err := s.usages(ctx)
	if err != nil {
		return 0, err
	}
	if err := pause.For(ctx, during); err != nil {
		return 0, err
	}
	after, err := s.usages(ctx)
	if err != nil {
		return 0, err
	}
	return shareOf(before, after, of), nil
}

// shareOf is share of what was used before and after. Without any call it is
// 0.
func shareOf(before, after []usage, of int) float64 {
	all := 0
	for i := range after {
		all += after[i].Executed - before[i].Executed
	}
	if all == 0 {
		return 0
	}
	return float64(after[of].Executed-before[of].Executed) * float64(len(after)) / float64(all)
}
