// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command front shows an inventory as JSON over HTTP. ../README.md tells how to
// run it.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("the front end has failed", "error", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

// run serves until ctx ends, and finishes the requests that it has.
func run(ctx context.Context, log *slog.Logger) error {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	registry := flag.String("registry", "zk://127.0.0.1:2181/inventory", "`target` of the inventory's list")
	ca := flag.String("ca", "config/ca.crt", "`file` with the authority of the servers' certificates")
	token := flag.String("token", "config/token", "`file` with the token to call with")
	flag.Parse()

	config, err := tlsfiles.Files{CA: *ca, Logger: log}.Client()
	if err != nil {
		return err
	}
	client, err := rollcall.NewClient(*registry, rollcall.ClientOptions{ // one, for all requests
		TLS:    config,
		Token:  auth.TokenFile(*token),
		Logger: log,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	log.Info("serving", "address", l.Addr().String())
	server := &http.Server{Handler: newHandler(client, log), ReadHeaderTimeout: 10 * time.Second}
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		drained <- server.Shutdown(patience)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}
