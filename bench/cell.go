// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

// A spec is what a client process is told to measure.
type spec struct {
	System   string
	Workload workload
	Warmup   time.Duration
	Duration time.Duration
	Profile  string // the beginning of the profiles' file names; empty: none
}

// A cell is one measurement: one system, one workload, one run.
type cell struct {
	Run      int    `json:"run"` // from 0
	Workload string `json:"workload"`
	System   string `json:"system"`

	Calls        uint64  `json:"calls"`
	CallsPerS    float64 `json:"calls_per_s"`
	MBPerS       float64 `json:"mb_per_s"` // payload one way, 10⁶ bytes
	P50US        float64 `json:"p50_us"`
	P99US        float64 `json:"p99_us"`
	P999US       float64 `json:"p999_us"`
	MaxUS        float64 `json:"max_us"`
	ClientCPUUS  float64 `json:"client_cpu_us_per_call"`
	ServerCPUUS  float64 `json:"server_cpu_us_per_call"`
	ClientAllocs float64 `json:"client_allocs_per_call"`
}

// CPUUS is what a call costs both sides.
func (c *cell) CPUUS() float64 { return c.ClientCPUUS + c.ServerCPUUS }

// measure has a client process measure one cell.
func (p *plan) measure(ctx context.Context, number int, w workload, s *echo.System) (cell, error) {
	todo := spec{System: s.Name, Workload: w, Warmup: p.warmup, Duration: p.duration}
	if p.profiles != "" {
		todo.Profile = fmt.Sprintf("%s/%s-%s-%d", p.profiles, strings.ReplaceAll(s.Name, "/", ""), w.Name, number+1)
	}
	start := startChild
	if other, ok := p.twins[s.Name]; ok {
		todo.System = other.system
		start = func(ctx context.Context, what string, todo any) (*child, error) {
			return startProgram(ctx, other.program, what, todo)
		}
	}
	client, err := start(ctx, "client", todo)
	if err != nil {
		return cell{}, err
	}
	line, err := client.line()
	if endErr := client.end(); err == nil {
		err = endErr
	}
	if err != nil {
		return cell{}, err
	}
	var m cell
	err = json.Unmarshal([]byte(line), &m)
	m.Run, m.System = number, s.Name // the client does not know
	return m, err
}

// runClient is the client process: it starts the server process, measures, and
// prints the cell.
func runClient(ctx context.Context, todo *spec) error {
	server, err := startChild(ctx, "server", todo)
	if err != nil {
		return err
	}
	m, err := measureWith(ctx, todo, server)
	if endErr := server.end(); err == nil {
		err = endErr
	}
	if err != nil {
		return err
	}
	line, err := json.Marshal(m)
	fmt.Printf("%s\n", line)
	return err
}

func measureWith(ctx context.Context, todo *spec, server *child) (*cell, error) {
	addr, err := server.line()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	systems, err := echo.Find(todo.System)
	if err != nil {
		return nil, err
	}
	w := &todo.Workload
	conns := make([]echo.Conn, 0, w.Connections)
	abort := func() {
		for _, c := range conns {
			c.Close() // its calls fail, that is all
		}
	}
	defer abort()
	for range w.Connections {
		conn, err := systems[0].Dial(ctx, addr)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		conns = append(conns, conn)
	}
	callers := make([]load.Echo, w.Callers)
	for i := range callers {
		callers[i] = conns[i%len(conns)].Caller(w.SizeBytes)
	}
	meter := meter{server: server, profile: todo.Profile}
	res, err := load.Run(ctx, callers, load.Options{
		SizeBytes: w.SizeBytes, Warmup: todo.Warmup, Duration: todo.Duration,
		Abort: abort, Begin: meter.begin, End: meter.end,
	})
	switch {
	case err != nil:
		return nil, err
	case meter.err != nil:
		return nil, meter.err
	case res.Errors > 0:
		return nil, fmt.Errorf("%d calls failed, one of them: %w", res.Errors, res.Err)
	case res.Calls == 0:
		return nil, fmt.Errorf("no call ended within %v: give a longer -duration", todo.Duration)
	}
	return meter.cell(todo, &res), nil
}

// A meter takes what the two processes have used within the window.
type meter struct {
	server  *child
	profile string

	client, remote, allocs float64 // at the begin, then the difference
	stop                   func() error
	err                    error // the first failure
}

func (m *meter) begin() {
	m.remote = m.ask("begin")
	var err error
	m.stop, err = startProfile(m.profile, "client")
	m.note(err)
	m.allocs = allocations()
	m.client = cpuSeconds()
}

func (m *meter) end() {
	m.client = cpuSeconds() - m.client
	m.allocs = allocations() - m.allocs
	if m.stop != nil {
		m.note(m.stop())
	}
	m.remote = m.ask("end") - m.remote
}

// ask has the server tell its CPU time.
func (m *meter) ask(edge string) float64 {
	line, err := m.server.ask(edge)
	m.note(err)
	var seconds float64
	if err == nil {
		m.note(json.Unmarshal([]byte(line), &seconds))
	}
	return seconds
}

func (m *meter) note(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *meter) cell(todo *spec, res *load.Result) *cell {
	calls := float64(res.Calls)
	perS := calls / res.Elapsed.Seconds()
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return &cell{
		Workload: todo.Workload.Name, System: todo.System, Calls: res.Calls,
		CallsPerS: perS, MBPerS: perS * float64(todo.Workload.SizeBytes) / 1e6,
		P50US: us(res.Latency.Quantile(0.5)), P99US: us(res.Latency.Quantile(0.99)),
		P999US: us(res.Latency.Quantile(0.999)), MaxUS: us(res.Latency.Max()),
		ClientCPUUS: m.client * 1e6 / calls, ServerCPUUS: m.remote * 1e6 / calls,
		ClientAllocs: m.allocs / calls,
	}
}

// allocations is how many objects this process has ever allocated.
func allocations() float64 {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
