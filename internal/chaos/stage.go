// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// A stage is where one scenario is played: servers, the clients that call them,
// and what happened when. Its fields belong to the goroutine that plays.
type stage struct {
	cfg      *Config
	scenario *Scenario
	registry *registry
	links    []*proxy   // to the registry's members, where the scenario wants them
	ns       *namespace // that the first server lives in, where the scenario wants it
	target   string     // of servers and clients
	log      string     // path of the log of executions
	rnd      *rand.Rand
	servers  []*server
	clients  []Client

	victims        []*server // what a Put may have failed on
	struck, healed time.Time
	watch          sync.WaitGroup // awaits avoided
	avoided        *time.Duration // from struck until no client picks a victim; read after watch
	stopWatch      context.CancelFunc
	right          *time.Duration // from healed until every list was right; nil: wrong says why not
	wrong          error

	traffic *traffic
	figures []Figure
	broken  []Broken // what play has seen, each once
}

const loopback = "127.0.0.1"

// A server is one of a stage.
type server struct {
	stage  *stage
	proc   *process
	listen string     // its own address, once known
	addr   string     // what the list says
	link   *proxy     // in front of it; nil: none
	ns     *namespace // that it lives in; nil: everybody's
}

// openStage starts the servers and connects the clients. Whatever happens, close
// what is returned.
func openStage(ctx context.Context, cfg *Config, sc *Scenario, reg *registry, dir string) (*stage, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s := &stage{
		cfg: cfg, scenario: sc, registry: reg, log: filepath.Join(dir, sc.Name+".log"),
		rnd:       rand.New(rand.NewPCG(cfg.Seed, 1)), //nolint:gosec // a choice of victims
		stopWatch: func() {},
	}
	if err := s.layNetwork(); err != nil {
		return s, err
	}
	for range cfg.Servers {
		if err := s.addServer(); err != nil {
			return s, err
		}
	}
	for _, sv := range s.servers {
		if err := sv.await(ctx); err != nil {
			return s, err
		}
	}
	for range 2 { // of the open and of the closed loop
		client, err := cfg.NewClient(s.target)
		if err != nil {
			return s, err
		}
		s.clients = append(s.clients, client)
	}
	_, err := s.awaitRight(ctx)
	return s, err
}

// layNetwork makes what is between the servers and the registry.
func (s *stage) layNetwork() (err error) {
	hosts, at := s.registry.hosts, loopback
	if s.scenario.Namespace {
		if s.ns, err = newNamespace(); err != nil {
			return err
		}
		at = s.ns.host // from there loopback cannot be reached
	}
	if s.scenario.RegistryProxy || s.scenario.Namespace {
		hosts = nil
		for _, host := range s.registry.hosts {
			link, err := newProxy(at, host)
			if err != nil {
				return err
			}
			s.links = append(s.links, link)
			hosts = append(hosts, link.addr())
		}
	}
	s.target = s.registry.target(hosts, s.scenario.Name)
	return nil
}

// addServer starts a server.
func (s *stage) addServer() error {
	addr, err := keptAddr(loopback)
	if err != nil {
		return err
	}
	sv := &server{stage: s, listen: addr}
	s.servers = append(s.servers, sv)
	if s.scenario.ServerProxy {
		link, err := newProxy(loopback, "")
		if err != nil {
			return err
		}
		sv.link = link
	}
	if s.ns != nil && len(s.servers) == 1 {
		sv.ns, sv.listen = s.ns, net.JoinHostPort(s.ns.guest, "0")
	}
	return sv.start()
}

// start starts the process.
func (sv *server) start() (err error) {
	argv := slices.Concat(sv.stage.cfg.Server, []string{
		"--registry", sv.stage.target, "--log", sv.stage.log, "--listen", sv.listen, "--session", Session.String(),
	}, sv.stage.scenario.Limits.flags())
	if sv.link != nil {
		argv = append(argv, "--advertise", sv.link.addr())
	}
	if sv.ns == nil {
		sv.proc, err = start(argv, sv.stage.cfg.Stderr)
		return err
	}
	if sv.proc, err = start(sv.ns.wrap(argv), sv.stage.cfg.Stderr, sv.ns.attr); err != nil {
		return &notPermittedError{err}
	}
	return sv.ns.enter(sv.proc)
}

// await waits until the process serves.
func (sv *server) await(ctx context.Context) error {
	addr, err := sv.proc.expect(ctx, serving)
	if err != nil {
		return err
	}
	sv.listen, sv.addr = addr, addr
	if sv.link != nil {
		sv.link.setServer(addr)
		sv.addr = sv.link.addr()
	}
	return nil
}

// restart starts a process that has ended, on the same port.
func (sv *server) restart(ctx context.Context) error {
	if err := sv.start(); err != nil {
		return err
	}
	return sv.await(ctx)
}

// close ends everything of the stage.
func (s *stage) close() {
	s.stopWatch()
	s.watch.Wait()
	for _, c := range s.clients {
		c.Close() // no call is under way
	}
	for _, sv := range s.servers {
		if sv.proc != nil {
			sv.proc.kill()
		}
		if sv.link != nil {
			sv.link.close()
		}
	}
	for _, link := range s.links {
		link.close()
	}
	if s.ns != nil {
		s.ns.close()
	}
}

// pick chooses n servers at random, by the seed.
func (s *stage) pick(n int) []*server {
	all := slices.Clone(s.servers)
	s.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// strike notes that it begins now: what befalls the victims, who a Put may fail
// on. From now on it is watched until when a client picks one of them.
func (s *stage) strike(ctx context.Context, victims ...*server) {
	s.victims = append(s.victims, victims...)
	if !s.struck.IsZero() {
		return
	}
	s.struck = time.Now()
	if len(victims) == 0 {
		return
	}
	watching, stop := context.WithCancel(ctx)
	s.stopWatch = stop
	s.watch.Go(func() {
		at, err := s.awaitViews(watching, func(v View) bool {
			return !slices.ContainsFunc(victims, func(sv *server) bool { return slices.Contains(v.Usable, sv.addr) })
		})
		if err == nil {
			d := max(at.Sub(s.struck), 0)
			s.avoided = &d
		}
	})
}

// hold waits while what was done has its effect: half of the window.
func (s *stage) hold(ctx context.Context) error { return pause.For(ctx, s.cfg.Duration/2) }

// heal notes that what was done is being undone now.
func (s *stage) heal() {
	s.stopWatch()
	s.watch.Wait()
	s.healed = time.Now()
}

// awaitRight waits until every client's list is that of the registry and holds
// exactly the servers, all of them usable, and returns since when.
func (s *stage) awaitRight(ctx context.Context) (time.Time, error) {
	want := make([]string, 0, len(s.servers))
	for _, sv := range s.servers {
		want = append(want, sv.addr)
	}
	slices.Sort(want)
	return s.awaitViews(ctx, func(v View) bool {
		slices.Sort(v.Usable)
		return v.Live && slices.Equal(v.Usable, want)
	})
}

// awaitViews waits until every client has once had a view that is wanted, and
// returns when the last had.
func (s *stage) awaitViews(ctx context.Context, wanted func(View) bool) (last time.Time, err error) {
	for _, c := range s.clients {
		if last, err = awaitView(ctx, c, wanted); err != nil {
			return last, err
		}
	}
	return last, nil
}

// awaitView waits until a client has a view that is wanted, and returns when it had.
func awaitView(ctx context.Context, c Client, wanted func(View) bool) (at time.Time, err error) {
	for {
		view, changed := c.View()
		if wanted(view) {
			return time.Now(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return at, fmt.Errorf("a client knows %q, live %v: %w", view.Known, view.Live, context.Cause(ctx))
		}
	}
}
