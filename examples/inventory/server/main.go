// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command server keeps an inventory. ../README.md tells how to run it.
package main

import (
	"context"
	"expvar"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/examples/inventory"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("the server has failed", "error", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

// run serves until ctx ends, and then drains.
func run(ctx context.Context, log *slog.Logger) error {
	listen := flag.String("listen", "127.0.0.1:8001", "`address` to serve on")
	registry := flag.String("registry", "zk://127.0.0.1:2181/inventory", "`target` of the list to join")
	dir := flag.String("config", "config", "`directory` with server.crt, server.key, tokens and policy.json")
	flag.Parse()

	config, err := tlsfiles.Files{Cert: *dir + "/server.crt", Key: *dir + "/server.key", Logger: log}.Server()
	if err != nil {
		return err
	}
	verify, err := auth.TokensFile(*dir + "/tokens")
	if err != nil {
		return err
	}
	policy, err := auth.PolicyFile(*dir + "/policy.json")
	if err != nil {
		return err
	}
	admissions := []rollcall.Admission{auth.Bearer(verify), policy} // who it is, then what they may
	server := rollcall.NewServer(rollcall.ServerOptions{
		Registry:   *registry,
		TLS:        config,
		Admissions: admissions,
		Events:     rollcall.TeeServerEvents(inventory.AccessLog(log), inventory.Count(expvar.NewMap("calls"))),
		Logger:     log,
	})
	server.HandleHTTP("/", server.HealthHandler()) // /healthz and /readyz, on the same port
	server.HandleHTTP("/debug/vars", auth.HTTP("Pages/Vars", expvar.Handler(), admissions...))
	store := inventory.NewStore(map[string]uint32{"bolt": 1_000_000, "gear": 5, "nut": 1_000_000})
	inventory.Register(server, store, log)
	return server.ListenAndServe(ctx, *listen)
}
