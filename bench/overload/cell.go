// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A cell is a load on servers of a kind.
type cell struct {
	name    string
	work    string // of the handler
	procs   string // GOMAXPROCS of the server; empty: the machine's
	servers int
	slow    string        // the work of the last of several servers
	conns   int           // clients, each with a connection of its own
	budget  time.Duration // of a call
	callers int           // of the closed loop that measures what can be done
	most    int64         // calls in flight of the open loop that measures it instead; 0: the closed loop does
	load    float64       // of that
	after   float64       // the load that follows
	burners int           // processes on each processor that want all of it
}

var cells = []cell{
	{name: "spin 0.8, 1 connection", work: "spin", procs: "1", servers: 1, conns: 1, budget: 200 * time.Millisecond, callers: 8, load: 0.8, after: 0.3},
	{name: "spin 1.5, 1 connection", work: "spin", procs: "1", servers: 1, conns: 1, budget: 200 * time.Millisecond, callers: 8, load: 1.5, after: 0.3},
	{name: "spin 2, 1 connection", work: "spin", procs: "1", servers: 1, conns: 1, budget: 200 * time.Millisecond, callers: 8, load: 2, after: 0.3},
	{name: "spin 0.8, 8 connections", work: "spin", procs: "1", servers: 1, conns: 8, budget: 200 * time.Millisecond, callers: 8, load: 0.8, after: 0.3},
	{name: "spin 1.5, 8 connections", work: "spin", procs: "1", servers: 1, conns: 8, budget: 200 * time.Millisecond, callers: 8, load: 1.5, after: 0.3},
	{name: "spin 2, 8 connections", work: "spin", procs: "1", servers: 1, conns: 8, budget: 200 * time.Millisecond, callers: 8, load: 2, after: 0.3},
	{name: "starved 0.3", work: "spin", procs: "1", servers: 1, conns: 1, budget: time.Second, callers: 8, load: 0.3, after: 0.3, burners: 4},
	{name: "lock 2", work: "lock 10ms", servers: 1, conns: 1, budget: 300 * time.Millisecond, callers: 2, load: 2, after: 0.5},
	{name: "echo 1.05", work: "echo", servers: 1, conns: 1, budget: time.Second, callers: 900, most: 900, load: 1.05, after: 0.3},
	{name: "echo 1.5", work: "echo", servers: 1, conns: 1, budget: time.Second, callers: 900, most: 900, load: 1.5, after: 0.3},
	{name: "three, one slow, 0.95", work: "lock 1ms", slow: "lock 10ms", servers: 3, conns: 1, budget: 300 * time.Millisecond, callers: 30, load: 0.95, after: 0.3},
}

// An outcome is what came of a load: calls per second.
type outcome struct {
	capacity, offered, good, busy, late, failed float64
	after                                       float64 // calls that were not good from a second after the load has fallen
	memory                                      float64 // MiB, of the servers at most
}

// errBusy stands for a refusal.
var errBusy = errors.New("busy")

// errWrong is what no figure makes up for.
var errWrong = errors.New("a wrong reply")

// A caller makes a call and tells how it was answered.
type caller interface {
	call(ctx context.Context) error
	close()
}

// measure plays the cell once.
func (c *cell) measure(ctx context.Context, system string, duration time.Duration) (o outcome, err error) {
	var addrs []string
	var processes []*exec.Cmd
	defer func() {
		for _, p := range processes {
			o.memory = max(o.memory, peak(p.Process.Pid))
			p.Process.Kill() //nolint:errcheck // it is over
			p.Wait()         //nolint:errcheck // likewise
		}
	}()
	for i := range c.servers {
		work := c.work
		if i > 0 && i == c.servers-1 {
			work = c.slow
		}
		p, addr, err := c.start(ctx, system, work)
		if err != nil {
			return o, err
		}
		processes, addrs = append(processes, p), append(addrs, addr)
	}
	for range c.burners * runtime.NumCPU() {
		p, err := burner(ctx)
		if err != nil {
			return o, err
		}
		defer p.Wait()         //nolint:errcheck // it was killed
		defer p.Process.Kill() //nolint:errcheck // it is over
	}
	var callers []caller
	for range c.conns {
		one, err := dial(system, addrs)
		if err != nil {
			return o, err
		}
		defer one.close()
		callers = append(callers, one)
	}
	if o.capacity, err = c.capacity(ctx, system, addrs, duration/2); err != nil {
		return o, err
	}
	if c.most > 0 && o.capacity > 0 { // the client is part of what is measured: it starts a goroutine for each call
		capped := openLoop(ctx, callers, o.capacity, duration/2, c.budget, c.most)
		capped.wait()
		o.capacity = float64(capped.good.Load()) / (duration / 2).Seconds()
	}
	if o.capacity <= 0 { // there is no multiple of it to offer
		return o, errors.New("no call was answered in time while what can be done was measured: give a longer -duration, or a quieter machine")
	}
	n := openLoop(ctx, callers, c.load*o.capacity, duration, c.budget, 0)
	tail := openLoop(ctx, callers, c.after*o.capacity, min(time.Second, duration), c.budget, 0)
	tail.wait()
	after := openLoop(ctx, callers, c.after*o.capacity, duration/2, c.budget, 0)
	after.wait()
	n.wait()
	per := func(v *atomic.Int64) float64 { return float64(v.Load()) / duration.Seconds() }
	o.offered, o.good, o.busy, o.late, o.failed = per(&n.offered), per(&n.good), per(&n.busy), per(&n.late), per(&n.failed)
	o.after = float64(after.offered.Load() - after.good.Load())
	if n.wrong.Load()+tail.wrong.Load()+after.wrong.Load() > 0 {
		return o, errWrong
	}
	return o, ctx.Err()
}

// capacity returns what the servers can do, each measured by itself.
func (c *cell) capacity(ctx context.Context, system string, addrs []string, duration time.Duration) (sum float64, err error) {
	for _, addr := range addrs {
		var callers []caller
		for range c.conns {
			one, err := dial(system, []string{addr})
			if err != nil {
				return 0, err
			}
			defer one.close()
			callers = append(callers, one)
		}
		sum += closedLoop(ctx, callers, c.callers, duration)
	}
	return sum, nil
}

// start starts a server and waits until it serves.
func (c *cell) start(ctx context.Context, system, work string) (*exec.Cmd, string, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p := exec.CommandContext(ctx, executable, serveCommand, system, work) //nolint:gosec // it is this program
	p.Stderr = os.Stderr
	if c.procs != "" {
		p.Env = append(os.Environ(), "GOMAXPROCS="+c.procs)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return p, "", fmt.Errorf("the server does not say where it serves: %w", err)
	}
	return p, strings.TrimSpace(line), nil
}

// burner starts a process that wants all of a processor.
func burner(ctx context.Context) (*exec.Cmd, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := exec.CommandContext(ctx, executable, burnCommand) //nolint:gosec // it is this program
	stdin, err := p.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		stdin.Close()
		return nil, err
	}
	return p, nil
}

// burn wants all of a processor until its stdin, which is its parent's life, ends.
func burn(life io.Reader) {
	var over atomic.Bool
	go func() {
		io.Copy(io.Discard, life) //nolint:errcheck // its end is what is waited for
		over.Store(true)
	}()
	for !over.Load() {
		runtime.Gosched()
	}
	os.Exit(0)
}

// closedLoop returns how many calls a second so many callers get answered.
func closedLoop(ctx context.Context, conns []caller, callers int, duration time.Duration) float64 {
	var wg sync.WaitGroup
	var good atomic.Int64
	warm := time.Now().Add(duration / 4)
	end := warm.Add(duration)
	for i := range callers {
		conn := conns[i%len(conns)]
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if conn.call(ctx) == nil && time.Now().After(warm) {
					good.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(good.Load()) / duration.Seconds()
}

// A count is what became of the calls of an open loop.
type count struct {
	offered, good, busy, late, failed, wrong atomic.Int64
	inFlight                                 atomic.Int64
	wg                                       sync.WaitGroup
}

func (n *count) wait() { n.wg.Wait() }

// openLoop starts calls at a rate, and returns when the last has been started. Where
// most is not 0, those that come while so many are in flight are dropped.
func openLoop(ctx context.Context, conns []caller, rate float64, duration, budget time.Duration, most int64) *count {
	n := new(count)
	begun := time.Now()
	due := time.Duration(0)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for i := 0; due < duration && ctx.Err() == nil; <-ticker.C {
		for now := time.Since(begun); due <= now && due < duration; i++ {
			at := begun.Add(due)
			conn := conns[i%len(conns)]
			n.offered.Add(1)
			if most == 0 || n.inFlight.Load() < most {
				n.inFlight.Add(1)
				n.wg.Go(func() { n.one(ctx, conn, at.Add(budget)) })
			}
			due += time.Duration(rand.ExpFloat64() / rate * float64(time.Second)) //nolint:gosec // it spreads calls, and keeps no secret
		}
	}
	return n
}

func (n *count) one(ctx context.Context, conn caller, deadline time.Time) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline) // all callers would contend for a common one
	defer cancel()
	defer n.inFlight.Add(-1)
	switch err := conn.call(ctx); {
	case err == nil && !time.Now().After(deadline):
		n.good.Add(1)
	case errors.Is(err, errWrong):
		n.wrong.Add(1)
	case errors.Is(err, errBusy):
		n.busy.Add(1)
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		n.late.Add(1)
	default:
		n.failed.Add(1)
	}
}

// peak returns the greatest memory of a process in MiB; 0: not known.
func peak(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	fmt.Sscan(rest, &kib) //nolint:errcheck // 0 then
	return kib / 1024
}
