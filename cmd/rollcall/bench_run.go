// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

const (
	maxBenchConnections = 10_000
	maxBenchCallers     = 100_000
	maxBenchSize        = 4 << 20 // what a server takes by default
	maxBenchBytes       = 1 << 30 // of the payloads of all callers
	benchConnectTimeout = 10 * time.Second
)

// A bounded is a whole number between two others.
type bounded struct{ n, least, most int }

func (b *bounded) String() string { return strconv.Itoa(b.n) }
func (b *bounded) Type() string   { return "NUMBER" }

func (b *bounded) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < b.least || n > b.most {
		return fmt.Errorf("give a whole number from %d to %d", b.least, b.most)
	}
	b.n = n
	return nil
}

// A benchCommand is one run of "rollcall bench run".
type benchCommand struct {
	output                     format
	connections, callers, size bounded
	duration, warmup           span
	access                     access
}

func newBenchRun() *cobra.Command {
	b := &benchCommand{
		output:      formatTable,
		connections: bounded{n: 1, least: 1, most: maxBenchConnections},
		callers:     bounded{n: 100, least: 1, most: maxBenchCallers},
		size:        bounded{n: 1 << 10, most: maxBenchSize},
		duration:    span{d: 10 * time.Second, least: time.Millisecond},
		warmup:      span{d: time.Second},
	}
	cmd := &cobra.Command{
		Use:   "run TARGET",
		Short: "Put load on echo servers and measure it",
		Long: `Put load on the servers of a target that "rollcall bench serve" runs. Callers each
make one call after the other and compare all of every reply with what they sent.

Every latency is counted: the percentiles are exact, rounded down to 0.1 µs below
400 µs and to 1 µs below 16 ms. Calls are those that ended within the duration,
errors those of the whole run; MB are 10⁶ bytes of payload, counted one way. A
server takes 1000 calls in flight on a connection. The exit status is 1 if a call
failed or a reply was wrong.`,
		Example: `  rollcall bench run static://127.0.0.1:8001
  rollcall bench run zk://127.0.0.1:2181/bench --connections 8 --callers 1000 --duration 10s -o json`,
		Args: argCount(1, "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := parseTarget(args)
			if err != nil {
				return err
			}
			if err := b.check(); err != nil {
				return err
			}
			return b.run(cmd.Context(), target, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.Var(&b.connections, "connections", "to each instance")
	flags.Var(&b.callers, "callers", "spread evenly over the connections")
	flags.Var(&b.size, "size", "of a payload, in bytes")
	flags.Var(&b.duration, "duration", "how long to measure")
	flags.Var(&b.warmup, "warmup", "how long to call before")
	addOutput(cmd, &b.output)
	b.access.addAccess(cmd)
	return cmd
}

// check looks at the flags together.
func (b *benchCommand) check() error {
	if b.callers.n < b.connections.n {
		return usagef("--callers %d: give at least --connections, which is %d", b.callers.n, b.connections.n)
	}
	if most := maxBenchBytes / max(b.size.n, 1); b.callers.n > most {
		return usagef("--callers %d: give at most %d where --size is %d, for their payloads are kept in memory", b.callers.n, most, b.size.n)
	}
	return nil
}

// run measures and prints.
func (b *benchCommand) run(ctx context.Context, target discovery.Target, stdout, stderr io.Writer) error {
	opts, err := b.access.client(target, stderr)
	if err != nil {
		return err
	}
	var clients []*rollcall.Client
	closeAll := sync.OnceFunc(func() {
		for _, c := range clients {
			c.Close() // calls in flight fail, that is all
		}
	})
	defer closeAll()
	for range b.connections.n { // a client keeps one connection to each instance
		c, err := rollcall.NewClient(target.String(), opts)
		if err != nil {
			return &usageError{err} // of the target
		}
		clients = append(clients, c)
	}
	if err := connectAll(ctx, clients); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return fmt.Errorf("bench run: %s", strings.TrimPrefix(err.Error(), "rollcall: "))
	}
	echoes := make([]load.Echo, b.callers.n)
	for i := range echoes {
		echoes[i] = echoOf(clients[i%len(clients)])
	}
	cpu := func() float64 { return math.NaN() }
	if _, known := cpuSeconds(); known {
		cpu = func() float64 { s, _ := cpuSeconds(); return s }
	}
	var used float64
	res, err := load.Run(ctx, echoes, load.Options{
		SizeBytes: b.size.n, Warmup: b.warmup.d, Duration: b.duration.d, Abort: closeAll,
		Begin: func() { used = cpu() },
		End:   func() { used = cpu() - used },
	})
	if err != nil {
		return errors.New("bench run: interrupted")
	}
	if err := printBench(stdout, b.output, newBenchResult(&res, b.size.n, used)); err != nil {
		return err
	}
	if res.Errors > 0 {
		fmt.Fprintf(stderr, "rollcall: bench run: %d calls failed, the first: %v\n", res.Errors, res.Err)
		return errReported
	}
	return nil
}

// connectAll waits until each client is connected to an instance.
func connectAll(ctx context.Context, clients []*rollcall.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, benchConnectTimeout, fmt.Errorf("not connected to an instance within %v", benchConnectTimeout))
	defer cancel()
	for _, c := range clients {
		if err := c.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// echoOf returns what one caller calls.
func echoOf(c *rollcall.Client) load.Echo {
	opts := rollcall.CallOptions{Idempotent: benchEcho.Idempotent, ReplyBuffer: []byte{}}
	return func(payload []byte) ([]byte, error) {
		reply, err := c.Invoke(context.Background(), benchEcho.Name, payload, opts)
		if err == nil {
			opts.ReplyBuffer = reply // for the next one
		}
		return reply, err
	}
}

// A benchResult is printed as it is with -o json.
type benchResult struct {
	Calls     uint64  `json:"calls"`
	Errors    uint64  `json:"errors"`
	CallsPerS float64 `json:"calls_per_s"`
	MBPerS    float64 `json:"mb_per_s"`
	P50US     float64 `json:"p50_us"`
	P99US     float64 `json:"p99_us"`
	P999US    float64 `json:"p999_us"`
	MaxUS     float64 `json:"max_us"`

	// ClientCPUUS is user and system time of this process within the duration,
	// per call. Nil where no call ended or the system does not tell.
	ClientCPUUS *float64 `json:"client_cpu_us_per_call"`
}

func newBenchResult(res *load.Result, sizeBytes int, cpuSeconds float64) *benchResult {
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	perS := float64(res.Calls) / res.Elapsed.Seconds()
	out := &benchResult{
		Calls: res.Calls, Errors: res.Errors,
		CallsPerS: digits(perS, 1), MBPerS: digits(perS*float64(sizeBytes)/1e6, 3),
		P50US: us(res.Latency.Quantile(0.5)), P99US: us(res.Latency.Quantile(0.99)),
		P999US: us(res.Latency.Quantile(0.999)), MaxUS: us(res.Latency.Max()),
	}
	if perCall := cpuSeconds * 1e6 / float64(res.Calls); res.Calls > 0 && !math.IsNaN(perCall) {
		perCall = digits(perCall, 3)
		out.ClientCPUUS = &perCall
	}
	return out
}

// digits rounds to n digits behind the point.
func digits(v float64, n int) float64 {
	scale := math.Pow10(n)
	return math.Round(v*scale) / scale
}

func printBench(w io.Writer, output format, r *benchResult) error {
	if output == formatJSON {
		return json.NewEncoder(w).Encode(r)
	}
	cpu := "unknown"
	if r.ClientCPUUS != nil {
		cpu = fmt.Sprintf("%.2f µs/call", *r.ClientCPUUS)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "calls\t%d\t%.0f/s\t%.1f MB/s\n", r.Calls, r.CallsPerS, r.MBPerS)
	fmt.Fprintf(table, "errors\t%d\n", r.Errors)
	fmt.Fprintf(table, "p50\t%.1f µs\n", r.P50US)
	fmt.Fprintf(table, "p99\t%.1f µs\n", r.P99US)
	fmt.Fprintf(table, "p99.9\t%.1f µs\n", r.P999US)
	fmt.Fprintf(table, "max\t%.1f µs\n", r.MaxUS)
	fmt.Fprintf(table, "client CPU\t%s\n", cpu)
	return table.Flush()
}
