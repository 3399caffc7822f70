// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rollcall-rpc/rollcall/bench/internal/registry"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// These commands serve a registry in this program: ours, so that it can be
// profiled, and the one that is sockets alone.
const (
	registryServer = "registry-server"
	socketsServer  = "sockets-server"
)

func servesRegistry(command string) bool {
	return command == registryServer || command == socketsServer
}

// runRegistryServer serves what a zoo.cfg says until ctx ends. The arguments are
// the beginning of the profile's file name, of ours alone, and the zoo.cfg.
func runRegistryServer(ctx context.Context, command string, args []string) int {
	err := errors.New("this command is bench's own")
	switch {
	case command == registryServer && len(args) == 2:
		err = serveProfiled(ctx, args[0], args[1])
	case command == socketsServer && len(args) == 1:
		err = serveSockets(ctx, args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailure
	}
	return statusOK
}

func serveProfiled(ctx context.Context, profile, config string) error {
	cfg, err := readConfig(config)
	if err != nil {
		return err
	}
	srv, err := zkserver.New(cfg.Options)
	if err != nil {
		return err
	}
	stop, err := startProfile(profile, "server")
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	return errors.Join(srv.ListenAndServe(ctx, cfg.Address), stop(), srv.Close())
}

func serveSockets(ctx context.Context, config string) error {
	cfg, err := readConfig(config)
	if err != nil {
		return err
	}
	return registry.ServeSockets(ctx, cfg.Address)
}

func readConfig(name string) (zkserver.Config, error) {
	f, err := os.Open(name) //nolint:gosec // the bench names its file
	if err != nil {
		return zkserver.Config{}, err
	}
	defer f.Close()
	cfg, _, err := zkserver.ParseConfig(f)
	return cfg, err
}
