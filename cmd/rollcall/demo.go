// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

const (
	loopback  = "127.0.0.1"
	demoTick  = 500 * time.Millisecond
	demoPath  = "/rpc"
	demoSteps = 4 // pauses of --pace
)

func newDemo() *cobra.Command {
	pace := span{d: 3 * time.Second, least: time.Millisecond}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show in one terminal how servers join, die and leave without a failed call",
		Long: `Show in one terminal what Rollcall does: an embedded registry, servers that are
processes of their own, and a client that calls them all the time. A server joins,
one is killed with SIGKILL, one is drained with SIGTERM.

Every figure is measured while it runs; the one of the join is at most 1 ms too
long, for the registry notes whole milliseconds. The method is idempotent: a call
that was under way on the killed server is made again on another one.

The last line is a summary; the exit status is 0 only if every step happened and no
call failed. Ports 8001 to 8003 and 2181 are used where they are free, else others.`,
		Example: `  rollcall demo
  rollcall demo --pace 1s`,
		Args: argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("demo: own binary: %w", err)
			}
			d := &demo{
				executable: executable, pace: pace.d,
				line: newStoryline(cmd.OutOrStdout()), stderr: cmd.ErrOrStderr(),
			}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().Var(&pace, "pace", "pause between the steps")
	return cmd
}

// A demo is one run of the demonstration. Its fields belong to the goroutine
// that runs it, except where they have a lock of their own.
type demo struct {
	executable string
	pace       time.Duration
	line       *storyline
	stderr     io.Writer

	registry  string // the target
	client    *rollcall.Client
	observer  *observer
	traffic   *traffic // nil before the first call
	processes []*process
	facts     []string // for the summary
}

// run tells the story and sums it up; the summary is its last line.
func (d *demo) run(ctx context.Context) error {
	d.line.show(bold, fmt.Sprintf("A registry, three servers and a client that calls every %d ms. It takes about %.0f s.",
		callEvery.Milliseconds(), (demoSteps*d.pace+demoSession+time.Second).Seconds()))
	err := d.withRegistry(func() error {
		return d.withClient(ctx, func() error {
			defer d.endProcesses()
			return d.story(ctx)
		})
	})
	err = d.verdict(ctx, err)
	d.line.show(bold, d.summary(err))
	if err != nil {
		return errReported // by the summary
	}
	return nil
}

// verdict judges what the story came to: nil only if every step happened and no
// call failed.
func (d *demo) verdict(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err == nil && d.traffic.tally().failed > 0:
		return errReported // by the number of calls
	}
	return err
}

// withRegistry runs f while the registry serves.
func (d *demo) withRegistry(f func() error) error {
	const wanted = "2181"
	opts := zkserver.Options{TickTime: demoTick, MinSessionTimeout: demoSession}
	server, err := zkserver.Start(net.JoinHostPort(loopback, wanted), opts)
	if err != nil { // it is taken
		server, err = zkserver.Start(net.JoinHostPort(loopback, "0"), opts)
	}
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	// An interrupt ends the servers and the client first, then the registry.
	defer server.Close() // it returns nil
	d.registry = server.Target(demoPath)
	d.line.eventf(plain, "registry", "ready on %v%s; it forgets a silent server after %v",
		server.Addr(), insteadOf(server.Addr(), wanted), demoSession)
	hint := "rollcall ls --watch"
	if d.registry != defaultTarget {
		hint += " " + d.registry
	}
	d.line.moref("see the list in another terminal: %s", hint)
	return f()
}

// insteadOf explains an address whose port is not the wanted one.
func insteadOf(addr, wanted string) string {
	if _, port, _ := net.SplitHostPort(addr); port != wanted {
		return " (port " + wanted + " is taken)"
	}
	return ""
}

// withClient runs f while a client observes and, from the first call on, calls.
func (d *demo) withClient(ctx context.Context, f func() error) error {
	client, err := rollcall.NewClient(d.registry, rollcall.ClientOptions{
		Logger:    slog.New(slog.DiscardHandler), // the story tells
		Balancing: balancer.Options{Policy: balancer.RoundRobin}, ZooKeeper: zookeeper.Options{SessionTimeout: demoSession},
	})
	if err != nil {
		return err
	}
	d.client, d.observer = client, newObserver(client)
	d.traffic = newTraffic(client, func(err error) { d.line.eventf(red, "FAILED", "%v", err) })
	defer client.Close() // nothing depends on it
	observing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { d.observer.run(observing) })
	return f()
}

// endProcesses kills the servers that are left.
func (d *demo) endProcesses() {
	for _, p := range d.processes {
		p.end()
	}
}

// summary is the last line.
func (d *demo) summary(err error) string {
	var b strings.Builder
	var t tally
	if d.traffic != nil {
		t = d.traffic.tally()
	}
	fmt.Fprintf(&b, "%d calls, %d failed", t.calls, t.failed)
	for i, p := range d.processes {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&b, "%s%s %d", separator, p.name, t.by[p.addr])
	}
	facts := d.facts
	if err != nil && !errors.Is(err, errReported) {
		facts = append(facts, err.Error())
	}
	if len(facts) > 0 {
		b.WriteString("; " + strings.Join(facts, ", "))
	}
	return b.String()
}
