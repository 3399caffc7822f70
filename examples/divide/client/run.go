// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

// run makes the calls and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	if status, done := o.parse(args, stdout, stderr); done {
		return status
	}
	client, err := rollcall.NewClient(o.registry, rollcall.ClientOptions{
		Balancing:       balancer.Options{Policy: o.balance},
		Dialects:        []rollcall.Dialect{divide.Dialect()},
		DefaultProtocol: divide.ProtocolName, // of servers that list no protocols
		Logger:          slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		fmt.Fprintf(stderr, "client: %v\n", err)
		return cli.StatusFailed
	}
	status := cli.StatusOK
	if !callAll(ctx, client, &o, stdout) {
		status = cli.StatusFailed
	}
	if err := client.Close(); err != nil {
		fmt.Fprintf(stderr, "client: close: %v\n", err)
	}
	return status
}

// callAll makes the calls one after the other, until they are made or ctx ends.
// It reports whether each was answered, be it with InvalidOperation.
func callAll(ctx context.Context, client *rollcall.Client, o *options, stdout io.Writer) (ok bool) {
	ok = true
	for i := 0; o.calls == 0 || i < o.calls; i++ {
		if i > 0 && !pause(ctx, o.interval) {
			break
		}
		fraction := divide.Fraction{Num1: int32(i)} // after 2³¹ calls it begins again below 0
		if o.zero {
			fraction = divide.Fraction{Num1: 1, Num2: new(int32)}
		}
		line, answered := call(ctx, client, &fraction, o.timeout)
		if !answered && ctx.Err() != nil {
			break // the user's wish is no failure
		}
		ok = ok && answered
		fmt.Fprintln(stdout, line)
	}
	return ok
}

// call makes one call and returns the line to print.
func call(ctx context.Context, client *rollcall.Client, f *divide.Fraction, timeout time.Duration) (line string, answered bool) {
	var report rollcall.Report
	q, err := divide.Divide.CallWith(ctx, client, f, rollcall.CallOptions{
		Timeout: timeout, WaitForReady: true, Report: &report,
	})
	addr := "-" // nobody
	if report.Answered.Host != "" {
		addr = report.Answered.Addr()
	}
	if err == nil {
		return addr + " " + strconv.FormatFloat(float64(q.Value), 'f', -1, 32), true
	}
	message := err.Error()
	var e *rollcall.Error
	if errors.As(err, &e) && e.Executed == rollcall.ExecutedYes {
		message = e.Message
	}
	return addr + " error: " + message, divide.IsInvalidOperation(err)
}

// pause waits for d and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
