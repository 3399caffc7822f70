// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// What a registry costs a request at most, × Apache ZooKeeper, and how many
// times as many it answers at least.
const (
	readCPUBar  = 0.25
	writeCPUBar = 0.35
	goRateBar   = 2
	rawRateBar  = 4
)

// loadProbes are 8 sessions with 16 requests in flight each, from go-zookeeper
// and from a driver that costs next to nothing.
func loadProbes() []Probe {
	var all []Probe
	for _, d := range []struct {
		by      driver
		rateBar [2]float64 // reads, writes
		cpu     bool       // has bars
	}{{goDriver{}, [2]float64{goRateBar, goRateBar}, true}, {rawDriver{}, [2]float64{rawRateBar, 0}, false}} {
		add := func(name string, bar, rateBar float64, run func(context.Context, *Bench) ([]float64, error), ops ...string) {
			p := Probe{Name: d.by.name() + "-" + name, run: run, Sockets: d.cpu && bar == readCPUBar}
			for _, op := range ops {
				cpu := Figure{Name: fmt.Sprintf("%s, %v, server CPU per request", op, d.by), Unit: "µs"}
				if d.cpu {
					cpu.Bar = bar
				}
				p.Figures = append(p.Figures, cpu, Figure{
					Name: fmt.Sprintf("%s, %v, requests/s", op, d.by), Bar: rateBar, More: true,
				})
			}
			all = append(all, p)
		}
		one := func(f func(context.Context, *Bench) (crew, error)) func(context.Context, *Bench) ([]float64, error) {
			return func(ctx context.Context, b *Bench) ([]float64, error) { return b.load(ctx, b.opts.Warmup, f) }
		}
		add("get", readCPUBar, d.rateBar[0], one(d.by.get), "get")
		add("exists", readCPUBar, d.rateBar[0], one(d.by.exists), "exists")
		add("children", readCPUBar, d.rateBar[0], one(d.by.children), "getChildren2, 10 children")
		add("set", writeCPUBar, d.rateBar[1], one(d.by.set), "set")
		add("sequence", writeCPUBar, d.rateBar[1], one(d.by.sequence), "create, ephemeral sequential")
		add("create", writeCPUBar, d.rateBar[1], func(ctx context.Context, b *Bench) ([]float64, error) {
			return b.createAndDelete(ctx, d.by)
		}, "create", "delete")
	}
	return all
}

// A crew is the workers of a window, and how to let their sessions go.
type crew struct {
	workers []worker
	leave   func() error
}

// A driver makes crews of 8 sessions.
type driver interface {
	fmt.Stringer
	name() string
	get(ctx context.Context, b *Bench) (crew, error)
	exists(ctx context.Context, b *Bench) (crew, error)
	children(ctx context.Context, b *Bench) (crew, error)
	set(ctx context.Context, b *Bench) (crew, error)
	sequence(ctx context.Context, b *Bench) (crew, error)
	create(ctx context.Context, b *Bench, n *names) (crew, error)
	remove(ctx context.Context, b *Bench, n *names) (crew, error)
}

// load measures a window of a crew.
func (b *Bench) load(ctx context.Context, warmup time.Duration, hire func(context.Context, *Bench) (crew, error)) ([]float64, error) {
	c, err := hire(ctx, b)
	if err != nil {
		return nil, err
	}
	p, err := window(ctx, b.server, warmup, b.opts.Duration, c.workers)
	if err = errors.Join(err, c.leave()); err != nil {
		return nil, err
	}
	return []float64{p.cpuUS, p.perS}, nil
}

// createAndDelete measures creates, and then deletes of what they made.
func (b *Bench) createAndDelete(ctx context.Context, d driver) ([]float64, error) {
	parent, err := b.parent(ctx)
	if err != nil {
		return nil, err
	}
	made := &names{parent: parent}
	created, err := b.load(ctx, b.opts.Warmup, func(ctx context.Context, b *Bench) (crew, error) { return d.create(ctx, b, made) })
	if err != nil {
		return nil, err
	}
	// Without a warm-up, in which all of them might go.
	gone := &names{parent: parent, limit: made.last.Load()}
	deleted, err := b.load(ctx, 0, func(ctx context.Context, b *Bench) (crew, error) { return d.remove(ctx, b, gone) })
	if err != nil {
		return nil, err
	}
	return append(created, deleted...), nil
}

// A goDriver is go-zookeeper, with a goroutine for each request in flight.
type goDriver struct{}

func (goDriver) String() string { return "go-zookeeper" }
func (goDriver) name() string   { return "go" }

func (goDriver) crew(ctx context.Context, b *Bench, hire func(conn *zk.Conn, session int) worker) (crew, error) {
	var conns []*zk.Conn
	c := crew{leave: func() error {
		for _, conn := range conns {
			conn.Close()
		}
		return nil
	}}
	for i := range sessions {
		conn, err := dialGoZK(ctx, b.server.Addr)
		if err != nil {
			return crew{}, errors.Join(err, c.leave())
		}
		conns = append(conns, conn)
		for range inFlight {
			c.workers = append(c.workers, hire(conn, i))
		}
	}
	return c, nil
}

func (d goDriver) get(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goGet(c, benchPath, b.data) })
}

func (d goDriver) exists(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goExists(c, benchPath, b.data) })
}

func (d goDriver) children(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goChildren(c, shortPath, shortList) })
}

func (d goDriver) set(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, session int) worker { return goSet(c, setPath(session), b.data) })
}

func (d goDriver) sequence(ctx context.Context, b *Bench) (crew, error) {
	parent, err := b.parent(ctx)
	if err != nil {
		return crew{}, err
	}
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goSequence(c, parent, b.data) })
}

func (d goDriver) create(ctx context.Context, b *Bench, n *names) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goCreate(c, n, b.data) })
}

func (d goDriver) remove(ctx context.Context, b *Bench, n *names) (crew, error) {
	return d.crew(ctx, b, func(c *zk.Conn, _ int) worker { return goDelete(c, n) })
}

// A rawDriver is one goroutine for each session, which keeps its requests in
// flight.
type rawDriver struct{}

func (rawDriver) String() string { return "raw" }
func (rawDriver) name() string   { return "raw" }

func (rawDriver) crew(ctx context.Context, b *Bench, streamOf func(s *session, i int) (stream, error)) (crew, error) {
	var all []*session
	c := crew{leave: func() error {
		var errs []error
		for _, s := range all {
			errs = append(errs, s.close())
		}
		return errors.Join(errs...)
	}}
	for i := range sessions {
		s, err := dial(ctx, b.server.Addr)
		if err == nil {
			all = append(all, s)
			var st stream
			if st, err = streamOf(s, i); err == nil {
				c.workers = append(c.workers, pipelined(s, st, inFlight))
			}
		}
		if err != nil {
			return crew{}, errors.Join(err, c.leave())
		}
	}
	return c, nil
}

func (d rawDriver) get(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(s *session, _ int) (stream, error) { return getStream(s, b) })
}

func getStream(s *session, b *Bench) (stream, error) {
	var resp jute.GetDataResponse
	return newConstant(s, jute.OpGetData, &jute.PathWatchRequest{Path: benchPath}, &resp, func() error {
		if !bytes.Equal(resp.Data, b.data) {
			return errWrongReply
		}
		return nil
	})
}

func (d rawDriver) exists(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(s *session, _ int) (stream, error) {
		var resp jute.Stat
		return newConstant(s, jute.OpExists, &jute.PathWatchRequest{Path: benchPath}, &resp, func() error {
			if int(resp.DataLength) != len(b.data) {
				return errWrongReply
			}
			return nil
		})
	})
}

func (d rawDriver) children(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(s *session, _ int) (stream, error) { return childrenStream(s, shortPath, shortList) })
}

func childrenStream(s *session, path string, n int) (*constant, error) {
	var resp jute.GetChildren2Response
	return newConstant(s, jute.OpGetChildren2, &jute.PathWatchRequest{Path: path}, &resp, func() error {
		if len(resp.Children) != n || int(resp.Stat.NumChildren) != n {
			return errWrongReply
		}
		return nil
	})
}

func (d rawDriver) set(ctx context.Context, b *Bench) (crew, error) {
	return d.crew(ctx, b, func(s *session, i int) (stream, error) { return setStream(s, b, i) })
}

func setStream(s *session, b *Bench, i int) (stream, error) {
	var resp jute.GetDataResponse
	err := s.call(jute.OpGetData, &jute.PathWatchRequest{Path: setPath(i)}, &resp)
	request := jute.SetDataRequest{Path: setPath(i), Data: b.data, Version: jute.AnyVersion}
	return &sets{request: request, version: resp.Stat.Version}, err
}

func (d rawDriver) sequence(ctx context.Context, b *Bench) (crew, error) {
	parent, err := b.parent(ctx)
	if err != nil {
		return crew{}, err
	}
	return d.crew(ctx, b, func(*session, int) (stream, error) { return newSequences(parent, b.data), nil })
}

func (d rawDriver) create(ctx context.Context, b *Bench, n *names) (crew, error) {
	return d.crew(ctx, b, func(*session, int) (stream, error) { return creates(n, b.data), nil })
}

func (d rawDriver) remove(ctx context.Context, b *Bench, n *names) (crew, error) {
	return d.crew(ctx, b, func(*session, int) (stream, error) { return deletes(n), nil })
}
