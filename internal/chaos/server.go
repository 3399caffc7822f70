// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

// ServerOptions are what a server under test is told.
type ServerOptions struct {
	Registry  string // the target whose list it joins
	Listen    string // where it serves, HOST:PORT
	Advertise string // what it tells the list; empty: where it serves
	Log       string // path of the log of executions
	Session   time.Duration
	Limits    Limits
}

// The methods of a server under test. Request and reply are the call's id, 8
// bytes, big endian.
var (
	get = rollcall.Method[[]byte, []byte]{Name: "Chaos/Get", Idempotent: true}
	put = rollcall.Method[[]byte, []byte]{Name: "Chaos/Put"}
)

// hold is what a server can do only so much of; it answers as the others.
var hold = rollcall.Method[[]byte, []byte]{Name: "Chaos/Hold"}

// fill is for strangers: the reply is filled with zeros.
var fill = rollcall.Method[[]byte, []byte]{Name: "Chaos/Fill"}

const fillBytes = 256 << 10

// Serve is a server under test: what Config.Server starts. It prints
// "serving HOST:PORT", takes orders from stdin, is drained when ctx ends, and ends
// with stdin.
func Serve(ctx context.Context, opts ServerOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	if most := opts.Limits.MaxFiles; most > 0 {
		if err := limitFiles(most); err != nil {
			return fmt.Errorf("a limit of %d files: %w", most, err)
		}
	}
	log, err := execlog.Open(opts.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	gate, err := NewGate(opts.Listen)
	if err != nil {
		return err
	}
	service := NewService(log, gate)
	server := rollcall.NewServer(rollcall.ServerOptions{
		Registry: opts.Registry, Advertise: opts.Advertise, ZooKeeper: zookeeper.Options{SessionTimeout: opts.Session},
		MaxConnections: opts.Limits.MaxConnections, MaxBufferedBytes: opts.Limits.MaxBufferedBytes, MaxStreams: opts.Limits.MaxStreams,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	rollcall.Handle(server, get, answer(service.Execute))
	rollcall.Handle(server, put, answer(service.Execute))
	rollcall.Handle(server, hold, answer(service.Hold))
	rollcall.Handle(server, fill, func(context.Context, *[]byte) (*[]byte, error) { return new(make([]byte, fillBytes)), nil })
	fmt.Fprintf(stdout, "%s%s\n", serving, gate.Addr())
	go func() { // it ends with stdin, or with the process
		if err := service.Obey(stdin, stdout); err != nil {
			fmt.Fprintln(stderr, err)
		}
		server.Close() // Serve tells
	}()
	if err := server.Serve(ctx, gate); !errors.Is(err, rollcall.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serving begins the line that tells where a server serves.
const serving = "serving "

// answer makes a handler of what executes a call: it answers with the id.
func answer(execute func(ctx context.Context, id uint64) error) func(context.Context, *[]byte) (*[]byte, error) {
	return func(ctx context.Context, request *[]byte) (*[]byte, error) {
		if len(*request) != 8 {
			return nil, rollcall.Errorf(rollcall.CodeInvalidArgument, "", "request of %d bytes: give 8, the call's id", len(*request))
		}
		err := execute(ctx, binary.BigEndian.Uint64(*request))
		if errors.Is(err, ErrUnavailable) {
			return nil, rollcall.Errorf(rollcall.CodeUnavailable, "ORDERED", "%w", err)
		}
		reply := append([]byte(nil), *request...)
		return &reply, err
	}
}
