// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

var discard = slog.New(slog.DiscardHandler)

// A stage is where scripts of calls are played: a network and a list in memory, and
// servers that do what the script says. It belongs to one bubble.
type stage struct {
	t       *testing.T
	network memnet.Network
	list    *scriptList
	servers []*stageServer // those that run, and those that have ended

	mu    sync.Mutex       // guards what follows
	parts map[string]*part // by the name of an instance
}

// A part is what an instance is to do.
type part struct {
	handler, code, reason string // "answers", …
	passedOn, once        bool
	after                 time.Duration
	connects              string         // what becomes of the next connection
	conns                 []*memnet.Conn // the server's ends, the last one last
}

// A stageServer is a server that has been started.
type stageServer struct {
	*rollcall.Server
	name      string
	registrar *stageRegistrar
	listener  net.Listener
	drain     context.CancelFunc
	ended     chan struct{} // closed when Serve has returned
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{t: t, list: newScriptList(), parts: make(map[string]*part)}
}

func (s *stage) end() {
	for _, server := range s.servers {
		server.Close()
		<-server.ended
		server.drain()
	}
}

// part returns a copy of what an instance is to do, after change, if that is not nil.
func (s *stage) part(name string, change func(*part)) part {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts[name] == nil {
		s.parts[name] = &part{handler: "answers", connects: "well"}
	}
	if change != nil {
		change(s.parts[name])
	}
	return *s.parts[name]
}

// step does what a step of a script says.
func (s *stage) step(verb string, args []string) {
	s.t.Helper()
	switch verb {
	case "serve":
		for _, arg := range args {
			s.serve(arg)
		}
	case "list":
		var list []discovery.Instance
		for _, arg := range args {
			name, options := parseArg(arg)
			list = append(list, s.instance(name, options))
		}
		s.list.set(func(u *discovery.Update) { u.Instances = list })
	case "source":
		s.source(args[0])
	default:
		s.direct(verb, args)
	}
}

// direct tells an instance what to do.
func (s *stage) direct(name string, args []string) {
	s.t.Helper()
	if len(args) == 0 {
		s.t.Fatalf("step %q: the verb is not known", name)
	}
	switch verb := args[0]; verb {
	case "answers", "fails", "hangs", "mumbles", "dies", "drops":
		s.part(name, func(p *part) {
			p.handler, p.code, p.reason, p.passedOn, p.once, p.after = verb, "", "", false, false, 0
		})
		s.handler(name, args[1:])
	case "connects":
		s.part(name, func(p *part) { p.connects = strings.Join(append(args[1:], "well")[:1], "") })
	case "kill":
		s.kill(name)
	case "drain":
		s.running(name).drain()
	case "cut", "mute":
		for _, conn := range s.part(name, nil).conns {
			if verb == "cut" {
				conn.Cut()
			} else {
				conn.Block()
			}
		}
	default:
		s.t.Fatalf("step %q of %s: the verb is not known", args, name)
	}
}

// handler reads the rest of what a handler is to do.
func (s *stage) handler(name string, args []string) {
	s.t.Helper()
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "after" && i+1 < len(args):
			i++
			d, err := time.ParseDuration(args[i])
			if err != nil {
				s.t.Fatal(err)
			}
			s.part(name, func(p *part) { p.after = d })
		case arg == "once":
			s.part(name, func(p *part) { p.once = true })
		case arg == "passed-on":
			s.part(name, func(p *part) { p.passedOn = true })
		case s.part(name, nil).code == "":
			s.part(name, func(p *part) { p.code = arg })
		default:
			s.part(name, func(p *part) { p.reason = arg })
		}
	}
}

// parseArg reads NAME(KEY=VALUE,…).
func parseArg(arg string) (name string, options map[string]string) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(arg, ")"), "(")
	options = make(map[string]string)
	for option := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(option, "=")
		options[key] = value
	}
	return name, options
}

func (s *stage) instance(name string, options map[string]string) discovery.Instance {
	in := discovery.Instance{Name: name, ID: name, Host: name, Port: 1, Weight: 100, Protocols: []string{rollcall.ProtocolName}}
	if id, ok := options["id"]; ok {
		in.ID = id
	}
	if options["weight"] == "0" {
		in.Weight = 0
	}
	return in
}

// source says how the list is known.
func (s *stage) source(text string) {
	s.t.Helper()
	source, ok := map[string]discovery.Source{"none": discovery.SourceNone, "stale": discovery.SourceStale, "live": discovery.SourceLive}[text]
	if !ok {
		s.t.Fatalf("source %q: give none, stale or live", text)
	}
	s.list.set(func(u *discovery.Update) {
		u.Source, u.Err = source, errors.New("the registry is down")
		if source == discovery.SourceLive {
			u.Err = nil
		}
	})
}

// serve starts a server, which is in the list when serve returns.
func (s *stage) serve(arg string) {
	s.t.Helper()
	name, options := parseArg(arg)
	l, err := s.network.Listen(name + ":1")
	if err != nil {
		s.t.Fatal(err)
	}
	registrar := &stageRegistrar{stage: s, name: name}
	opts := rollcall.ServerOptions{ID: name, Advertise: name + ":1", Registrar: registrar, Logger: discard}
	if options["streams"] != "" {
		opts.MaxStreams = 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &stageServer{Server: rollcall.NewServer(opts), name: name, registrar: registrar, listener: l, drain: cancel, ended: make(chan struct{})}
	s.servers = append(s.servers, server)
	rollcall.Handle(server.Server, rollcall.Method[[]byte, []byte]{Name: do.Name}, func(ctx context.Context, _ *[]byte) (*[]byte, error) {
		return s.handle(ctx, server)
	})
	go func() {
		defer close(server.ended)
		server.Serve(ctx, stageListener{l, s, name}) //nolint:errcheck // what comes of it is looked at elsewhere
	}()
	if _, err := server.Registered(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// running returns the last server of that name.
func (s *stage) running(name string) *stageServer {
	s.t.Helper()
	for _, server := range slices.Backward(s.servers) {
		if server.name == name {
			return server
		}
	}
	s.t.Fatalf("no server %q", name)
	return nil
}

// kill ends a server as its process would end; its entry stays.
func (s *stage) kill(name string) {
	server := s.running(name)
	server.registrar.killed.Store(true)
	for range 2 { // first of all, for the end of the listener is the end of Serve, which says farewell
		for _, conn := range s.part(name, nil).conns {
			conn.Cut()
		}
		server.listener.Close()
	}
	go server.Close()
}

// handle is the handler of a server.
func (s *stage) handle(ctx context.Context, server *stageServer) (*[]byte, error) {
	var p part
	s.part(server.name, func(now *part) {
		if p = *now; p.once {
			now.handler, now.once = "answers", false
		}
	})
	if p.after > 0 {
		<-time.After(p.after) // also where its caller has gone
	}
	switch p.handler {
	case "fails":
		var code rollcall.Code
		for c := rollcall.CodeCanceled; c <= rollcall.CodeUnauthenticated; c++ {
			if c.String() == p.code {
				code = c
			}
		}
		return nil, &rollcall.Error{Code: code, Reason: p.reason, Message: server.name + " will not", PassedOn: p.passedOn}
	case "mumbles":
		return new([]byte("mumble")), nil
	case "dies":
		s.kill(server.name)
	case "drops":
		p.conns[len(p.conns)-1].Cut()
	case "answers":
		return new([]byte(`"` + server.name + `"`)), nil
	}
	<-ctx.Done()
	<-time.After(time.Second) // whoever waited has gone
	return nil, ctx.Err()
}

// dial opens a connection that does what the script says.
func (s *stage) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	name := strings.TrimSuffix(addr, ":1")
	p := s.part(name, nil)
	switch p.connects {
	case "refused":
		return nil, syscall.ECONNREFUSED
	case "never":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := s.network.Dial(ctx, network, addr)
	if err != nil {
		return nil, syscall.ECONNREFUSED
	}
	preface := len(frame.AppendPreface(nil, frame.Preface{InstanceID: name}))
	switch p.connects {
	case "before-request":
		conn.(*memnet.Conn).CutAfter(preface)
	case "in-request":
		conn.(*memnet.Conn).CutAfter(preface + 10)
	}
	return conn, nil
}

// A stageListener has the server's ends of the connections.
type stageListener struct {
	net.Listener
	stage *stage
	name  string
}

func (l stageListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	switch p := l.stage.part(l.name, func(p *part) { p.conns = append(slices.Clip(p.conns), conn.(*memnet.Conn)) }); p.connects {
	case "silent":
		conn.(*memnet.Conn).Block()
	case "in-reply":
		conn.(*memnet.Conn).CutAfter(len(frame.AppendServerPreface(nil, frame.ServerPreface{Status: frame.StatusOK, InstanceID: l.name})) + 5)
	}
	return conn, nil
}

// A scriptList is a list of instances that the script changes. Nothing is known of
// it until then.
type scriptList struct {
	mu      sync.Mutex // guards what follows
	update  discovery.Update
	changed chan struct{} // closed at the next change
}

func newScriptList() *scriptList {
	return &scriptList{changed: make(chan struct{})}
}

func (l *scriptList) set(change func(*discovery.Update)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.update.Source == 0 { // it was on its way
		l.update.Source = discovery.SourceLive
	}
	change(&l.update)
	if l.update.Source == discovery.SourceLive {
		l.update.Confirmed = time.Now()
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Watch implements [discovery.Resolver].
func (l *scriptList) Watch(ctx context.Context, deliver func(discovery.Update)) error {
	for {
		l.mu.Lock()
		u, changed := l.update, l.changed
		l.mu.Unlock()
		if u.Source != 0 {
			u.Instances = slices.Clone(u.Instances)
			deliver(u)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A stageRegistrar keeps a server in the list until it deregisters, or the script
// sets another list.
type stageRegistrar struct {
	own    discovery.Memory
	stage  *stage
	name   string
	killed atomic.Bool
}

// Register implements [discovery.Registrar].
func (r *stageRegistrar) Register(in discovery.Instance) (discovery.Registration, error) {
	r.put(true)
	registration, err := r.own.Register(in)
	return stageRegistration{registration, r}, err
}

// put lists the server, or takes it out of the list.
func (r *stageRegistrar) put(listed bool) {
	in := r.stage.instance(r.name, nil)
	r.stage.list.set(func(u *discovery.Update) {
		others := slices.DeleteFunc(slices.Clone(u.Instances), func(other discovery.Instance) bool { return other.Name == in.Name })
		if u.Instances = others; listed {
			u.Instances = append(others, in)
		}
	})
}

type stageRegistration struct {
	discovery.Registration
	registrar *stageRegistrar
}

// Deregister implements [discovery.Registration].
func (r stageRegistration) Deregister(ctx context.Context) error {
	if !r.registrar.killed.Load() {
		r.registrar.put(false)
	}
	return r.Registration.Deregister(ctx)
}
