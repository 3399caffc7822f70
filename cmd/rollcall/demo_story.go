// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// stepBound is how long a step may take until the demonstration gives up; on an
// idle machine none but the end of a killed server's session takes a second.
const stepBound = 15 * time.Second

// story runs the steps while one caller calls, and stops calling before it
// returns.
func (d *demo) story(ctx context.Context) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	calling, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { d.traffic.run(calling) })
	running.Go(func() { d.reportTraffic(calling) })
	d.line.eventf(plain, "call", "one client calls %s every %d ms, round robin", divideMethod.Name, callEvery.Milliseconds())

	for _, step := range []func(context.Context) error{d.join, d.kill, d.drain} {
		if err := pause.For(ctx, d.pace); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	pause.For(ctx, d.pace) //nolint:errcheck // the story is told
	return nil
}

// within runs a step's wait; what did not happen in time is named.
func within[T any](ctx context.Context, what string, wait func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, stepBound)
	defer cancel()
	result, err := wait(bounded)
	switch {
	case err == nil:
		return result, nil
	case bounded.Err() != nil && ctx.Err() == nil:
		return result, fmt.Errorf("%s: not within %v: %w", what, stepBound, err)
	}
	return result, fmt.Errorf("%s: %w", what, err)
}

// start starts a server and waits until the client's list holds it.
func (d *demo) start(ctx context.Context, port string) (*process, sighting, error) {
	p, err := within(ctx, "server "+port+" starts", func(ctx context.Context) (*process, error) {
		return startProcess(ctx, d.executable, d.registry, port, d.stderr)
	})
	if p != nil {
		d.processes = append(d.processes, p)
	}
	if err != nil {
		return nil, sighting{}, err
	}
	seen, err := within(ctx, p.name+" joins the list", func(ctx context.Context) (sighting, error) {
		return d.observer.await(ctx, p.addr, time.Time{}, sighting.picked)
	})
	if err != nil {
		return nil, seen, err
	}
	d.line.eventf(green, "+ joined", "%s as %s, process %d%s", p.name, seen.entry, p.pid(), insteadOf(p.addr, port))
	return p, seen, nil
}

// begin starts the first two servers.
func (d *demo) begin(ctx context.Context) error {
	for _, port := range []string{"8001", "8002"} {
		if _, _, err := d.start(ctx, port); err != nil {
			return err
		}
	}
	_, err := within(ctx, "the client connects", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.client.Ready(ctx)
	})
	return err
}

// join lets a third server join.
func (d *demo) join(ctx context.Context) error {
	d.line.eventf(bold, "start", "a third server")
	p, seen, err := d.start(ctx, "8003")
	if err != nil {
		return err
	}
	// The registry runs in this process, so its clock is ours; it notes whole
	// milliseconds and rounds down, which makes this at most 1 ms too long.
	inList := seen.at.Sub(seen.registered)
	d.line.moref("the client's list held it %s after its znode appeared", readable(inList))
	d.facts = append(d.facts, "join seen in "+readable(inList))
	first, err := within(ctx, p.name+" answers", func(ctx context.Context) (time.Time, error) {
		return d.traffic.firstAnswer(ctx, p.addr)
	})
	if err != nil {
		return err
	}
	d.line.moref("it gave its first answer %s later", readable(first.Sub(seen.at)))
	return nil
}

// kill kills the first server.
func (d *demo) kill(ctx context.Context) error {
	p, before := d.processes[0], d.traffic.tally()
	d.line.eventf(red, "SIGKILL", "to %s", p.name)
	begun := time.Now()
	if err := p.signal(os.Kill); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	avoided, err := within(ctx, p.name+" is routed around", func(ctx context.Context) (sighting, error) {
		return d.observer.await(ctx, p.addr, begun, func(s sighting) bool { return !s.picked() })
	})
	if err != nil {
		return err
	}
	d.line.moref("the client no longer picked it %s after the kill", readable(avoided.at.Sub(begun)))
	d.facts = append(d.facts, "kill routed around in "+readable(avoided.at.Sub(begun)))
	gone, err := d.unlisted(ctx, p, begun)
	if err != nil {
		return err
	}
	d.line.eventf(red, "- left", "%s: its znode vanished %s after the kill, with its session", p.name, readable(gone.at.Sub(begun)))
	since := d.traffic.tally().minus(before)
	d.line.moref("%d calls since the kill, %d failed", since.calls, since.failed)
	return nil
}

// unlisted waits until a server's znode is gone.
func (d *demo) unlisted(ctx context.Context, p *process, after time.Time) (sighting, error) {
	return within(ctx, "the znode of "+p.name+" vanishes", func(ctx context.Context) (sighting, error) {
		return d.observer.await(ctx, p.addr, after, func(s sighting) bool { return !s.listed() })
	})
}

// drain drains the second server.
func (d *demo) drain(ctx context.Context) error {
	p, before := d.processes[1], d.traffic.tally()
	d.line.eventf(yellow, "SIGTERM", "to %s, which leaves in order", p.name)
	begun := time.Now()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("drain %s: %w", p.name, err)
	}
	avoided, err := within(ctx, p.name+" announces that it leaves", func(ctx context.Context) (sighting, error) {
		return d.observer.await(ctx, p.addr, begun, func(s sighting) bool { return !s.picked() })
	})
	if err != nil {
		return err
	}
	gone, err := d.unlisted(ctx, p, begun)
	if err != nil {
		return err
	}
	d.line.moref("the client no longer picked it %s after the signal", readable(avoided.at.Sub(begun)))
	d.line.eventf(yellow, "- left", "%s: its znode was deleted %s after the signal", p.name, readable(gone.at.Sub(begun)))
	_, err = within(ctx, p.name+" ends", func(ctx context.Context) (struct{}, error) {
		select {
		case <-p.exited:
			return struct{}{}, nil
		case <-ctx.Done():
			return struct{}{}, context.Cause(ctx)
		}
	})
	if err != nil {
		return err
	}
	if p.exitErr != nil {
		return fmt.Errorf("%s was drained and should end with status 0: %w", p.name, p.exitErr)
	}
	since := d.traffic.tally().minus(before)
	d.line.moref("it served on for clients that did not know yet, and ended %s after the signal with status 0", readable(p.exitedAt.Sub(begun)))
	d.line.moref("%d calls since the signal, %d failed", since.calls, since.failed)
	fact := "drain without a loss"
	if since.failed > 0 {
		fact = fmt.Sprintf("drain lost %d calls", since.failed)
	}
	d.facts = append(d.facts, fact)
	return nil
}

// reportTraffic prints every second who answered how many calls.
func (d *demo) reportTraffic(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := d.traffic.tally()
	for {
		select {
		case <-ticker.C:
			now := d.traffic.tally()
			d.line.eventf(dim, "answered", "%s", now.minus(last).answers())
			last = now
		case <-ctx.Done():
			return
		}
	}
}
