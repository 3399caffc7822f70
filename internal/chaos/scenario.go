// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// A Scenario is one thing that goes wrong, and what is promised meanwhile beside
// what is promised always.
type Scenario struct {
	Name  string
	About string // what is done, for people
	Short bool   // it is part of the short form

	// PutMay is how a Put may fail that was sent to a victim: ExecutedMaybe, or
	// ExecutedYes where the victim itself answers with an error. 0: not at all.
	PutMay rollcall.Executed

	// ServerProxy puts a proxy before each server, RegistryProxy one before each
	// member of the registry. Namespace puts the first server into a network
	// namespace of its own.
	ServerProxy, RegistryProxy, Namespace bool

	// Limits are those of the servers. Native scenarios are for servers of Rollcall
	// alone: they have limits, or are spoken to in its own protocol.
	Limits Limits
	Native bool

	needs func(*Config) string // why it cannot be played; nil, "": it can
	play  func(context.Context, *stage) error
}

// Scenarios are all, in the order in which they are played. Each begins with all
// servers running and ends with all running again.
var Scenarios = []Scenario{
	{
		Name: "calm", About: "nothing happens",
		play: func(ctx context.Context, s *stage) error { return s.during(ctx, nil, nil, nil) },
	},
	{
		Name: "kill", About: "a server is killed with SIGKILL, and started again",
		Short: true, PutMay: rollcall.ExecutedMaybe,
		play: func(ctx context.Context, s *stage) error { return s.kill(ctx, 1) },
	},
	{
		Name: "kill-most", About: "all servers but one are killed at once, and started again",
		PutMay: rollcall.ExecutedMaybe,
		play:   func(ctx context.Context, s *stage) error { return s.kill(ctx, len(s.servers)-1) },
	},
	{
		Name: "stop", About: "a server is stopped with SIGSTOP for at least 2 s: its connections stay, nothing answers",
		Short: true, PutMay: rollcall.ExecutedMaybe, needs: stopping,
		play: func(ctx context.Context, s *stage) error { return s.stop(ctx, 2*time.Second) },
	},
	{
		Name: "stop-long", About: "a server is stopped with SIGSTOP until its session has expired",
		PutMay: rollcall.ExecutedMaybe, needs: stopping,
		play: func(ctx context.Context, s *stage) error { return s.stop(ctx, Session+2*time.Second) },
	},
	{
		Name: "rolling", About: "one server after the other is drained with SIGTERM and started again",
		Short: true, play: rolling,
	},
	{
		Name: "slow", About: "a server works 100 times as long on each call",
		Short: true,
		play:  func(ctx context.Context, s *stage) error { return s.ordered(ctx, orderWork+(100*Work).String()) },
	},
	{
		Name: "refuse", About: "a server closes its port and resets its connections, and stays in the list",
		Short: true, PutMay: rollcall.ExecutedMaybe,
		play: func(ctx context.Context, s *stage) error { return s.ordered(ctx, orderRefuse) },
	},
	{
		Name: "unavailable", About: "a server answers every call with the error Unavailable",
		PutMay: rollcall.ExecutedYes,
		play:   func(ctx context.Context, s *stage) error { return s.ordered(ctx, orderUnavailable) },
	},
	{
		Name: "blackhole", About: "nothing goes through to a server or back, and nobody is told",
		Short: true, PutMay: rollcall.ExecutedMaybe, ServerProxy: true,
		play: func(ctx context.Context, s *stage) error { return s.cut(ctx, requests|replies) },
	},
	{
		Name: "half-open", About: "a server gets every request, and none of its replies comes back",
		PutMay: rollcall.ExecutedMaybe, ServerProxy: true,
		play: func(ctx context.Context, s *stage) error { return s.cut(ctx, replies) },
	},
	{
		Name: "one-way", About: "packets to a server get lost, packets from it come through; it lives in a network namespace",
		PutMay: rollcall.ExecutedMaybe, Namespace: true, needs: namespaces, play: cutOneWay,
	},
	{
		Name: "reset", About: "a server's connections are reset every 100 ms",
		Short: true, PutMay: rollcall.ExecutedMaybe, ServerProxy: true, play: resets,
	},
	{
		Name: "registry-kill", About: "the registry is killed with SIGKILL, and started again with its data",
		Short: true, needs: standalone,
		play: func(ctx context.Context, s *stage) error { return s.killMember(ctx, s.registry.members[0], false) },
	},
	{
		Name: "registry-wipe", About: "the registry is killed, and started again without its data",
		needs: wipeable,
		play:  func(ctx context.Context, s *stage) error { return s.killMember(ctx, s.registry.members[0], true) },
	},
	{
		Name: "registry-empty", About: "every entry of the list is deleted by hand",
		Short: true,
		play: func(ctx context.Context, s *stage) error {
			return s.during(ctx, nil, func() error { return s.registry.empty(ctx, s.scenario.Name) }, nil)
		},
	},
	{
		Name: "registry-cut", About: "nothing goes through to the registry or back until every session has expired",
		RegistryProxy: true, play: cutRegistry,
	},
	{
		Name: "leader-kill", About: "the leader of the registry's ensemble is killed, and started again",
		Short: true, needs: ensemble, play: killLeader,
	},
	{
		Name: "silent-strangers", About: "more connections than a server has places for say nothing, a byte, or hello and then nothing",
		Short: true, Native: true, Limits: Limits{MaxConnections: fewConnections}, needs: strangers, play: silentStrangers,
	},
	{
		Name: "stuck-client", About: "clients read nothing of large replies, or never finish large requests, and a server is drained beside them",
		Native: true, Limits: Limits{MaxStreams: fewStreams, MaxBufferedBytes: littleBuffered}, play: stuckClients,
	},
	{
		Name: "fd-limit", About: "servers may have 100 files open, and meet more connections than that which say nothing",
		Short: true, Native: true, Limits: Limits{MaxFiles: fewFiles}, needs: limits, play: outOfFiles,
	},
	{
		Name: "overload", About: "servers are asked for one and a half times what they can do of one method, then for half",
		Native: true, play: overload,
	},
	{
		Name: "slow-once", About: "a server works for 200 ms on one call, another for 1 s, and then as quickly as before",
		play: slowOnce,
	},
}

// Names returns the names of all scenarios.
func Names() []string {
	names := make([]string, 0, len(Scenarios))
	for i := range Scenarios {
		names = append(names, Scenarios[i].Name)
	}
	return names
}

func stopping(*Config) string {
	if !canStop {
		return "this system cannot stop a process"
	}
	return ""
}

func strangers(*Config) string {
	if !manyLoopbacks {
		return "on this system all strangers would come from the address of the clients"
	}
	return ""
}

func limits(*Config) string {
	if !canLimitFiles {
		return "this system cannot limit the files of a process"
	}
	return ""
}

func standalone(cfg *Config) string {
	switch {
	case len(cfg.Members) > 1:
		return "the registry is an ensemble, see leader-kill"
	case len(cfg.Members) == 0 && cfg.Target.Scheme != "":
		return "the registry was there before: only one that is started here is killed"
	}
	return ""
}

func wipeable(cfg *Config) string {
	if len(cfg.Members) > 0 || cfg.Target.Scheme != "" {
		return "where the registry keeps its data is not known: only the embedded one is wiped"
	}
	return ""
}

func ensemble(cfg *Config) string {
	if len(cfg.Members) < 3 {
		return "the registry is no ensemble of three that is started here"
	}
	return ""
}

// during strikes, holds and heals; what is nil is nothing.
func (s *stage) during(ctx context.Context, victims []*server, strike, heal func() error) error {
	s.strike(ctx, victims...)
	if strike != nil {
		if err := strike(); err != nil {
			return err
		}
	}
	if err := s.hold(ctx); err != nil {
		return err
	}
	s.heal()
	if heal != nil {
		return heal()
	}
	return nil
}

// each does the same to several servers, one after the other.
func each(servers []*server, do func(*server) error) func() error {
	return func() error {
		for _, sv := range servers {
			if err := do(sv); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *stage) kill(ctx context.Context, n int) error {
	victims := s.pick(n)
	return s.during(ctx, victims,
		each(victims, func(sv *server) error { return sv.proc.signal(os.Kill) }),
		each(victims, func(sv *server) error {
			sv.proc.kill()
			return sv.restart(ctx)
		}))
}

func (s *stage) stop(ctx context.Context, atLeast time.Duration) error {
	victim := s.pick(1)
	return s.during(ctx, victim,
		each(victim, func(sv *server) error {
			if err := sv.proc.signal(sigStop); err != nil {
				return err
			}
			return pause.For(ctx, max(atLeast-s.cfg.Duration/2, 0))
		}),
		each(victim, func(sv *server) error { return sv.proc.signal(sigContinue) }))
}

func (s *stage) ordered(ctx context.Context, order string) error {
	victim := s.pick(1)
	return s.during(ctx, victim,
		each(victim, func(sv *server) error { return sv.proc.order(ctx, order) }),
		each(victim, func(sv *server) error { return sv.proc.order(ctx, orderWell) }))
}

func (s *stage) cut(ctx context.Context, d direction) error {
	victim := s.pick(1)
	return s.during(ctx, victim,
		each(victim, func(sv *server) error { sv.link.hold(d); return nil }),
		each(victim, func(sv *server) error { sv.link.hold(0); return nil }))
}

func cutOneWay(ctx context.Context, s *stage) error {
	return s.during(ctx, s.servers[:1], s.ns.cut, s.ns.mend)
}

// rolling restarts all servers; each is called again before the next one goes.
func rolling(ctx context.Context, s *stage) error {
	s.strike(ctx)
	for _, sv := range s.pick(len(s.servers)) {
		if _, err := s.replace(ctx, sv); err != nil {
			return err
		}
	}
	s.heal()
	return nil
}

// replace drains a server and starts it again, and returns when it is called again,
// and how long the drain took.
func (s *stage) replace(ctx context.Context, sv *server) (drain time.Duration, err error) {
	begun := time.Now()
	if err := sv.proc.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	if err := sv.proc.await(ctx); err != nil {
		return 0, fmt.Errorf("%s was drained and should end with status 0: %w", sv.addr, err)
	}
	drain = time.Since(begun)
	sv.proc.kill() // what is left to do is to let go of it
	if err := sv.restart(ctx); err != nil {
		return drain, err
	}
	_, err = s.awaitViews(ctx, func(v View) bool { return slices.Contains(v.Usable, sv.addr) })
	return drain, err
}

func resets(ctx context.Context, s *stage) error {
	const every = 100 * time.Millisecond
	victim := s.pick(1)
	return s.during(ctx, victim, func() error {
		for end := time.Now().Add(s.cfg.Duration / 2); time.Now().Before(end); {
			victim[0].link.reset()
			if err := pause.For(ctx, every); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

func (s *stage) killMember(ctx context.Context, m *member, wipe bool) error {
	return s.during(ctx, nil,
		func() error { m.kill(); return nil },
		func() error {
			if wipe {
				if err := os.RemoveAll(m.data); err != nil {
					return err
				}
			}
			return m.restart(ctx)
		})
}

func killLeader(ctx context.Context, s *stage) error {
	leader, err := s.registry.leader(ctx)
	if err != nil {
		return err
	}
	return s.killMember(ctx, leader, false)
}

func cutRegistry(ctx context.Context, s *stage) error {
	return s.during(ctx, nil,
		func() error {
			for _, link := range s.links {
				link.hold(requests | replies)
			}
			return pause.For(ctx, max(Session+2*time.Second-s.cfg.Duration/2, 0))
		},
		func() error {
			for _, link := range s.links {
				link.hold(0)
			}
			return nil
		})
}
