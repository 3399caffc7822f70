// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// registryServer is the command that serves a registry in this program, so that
// it can be profiled.
const registryServer = "registry-server"

// runRegistryServer serves what a zoo.cfg says until ctx ends. Its arguments are
// the beginning of the profile's file name and the zoo.cfg.
func runRegistryServer(ctx context.Context, args []string) int {
	err := errors.New("give a profile and a zoo.cfg; this command is bench's own")
	if len(args) == 2 {
		err = serveProfiled(ctx, args[0], args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailure
	}
	return statusOK
}

func serveProfiled(ctx context.Context, profile, config string) error {
	f, err := os.Open(config)
	if err != nil {
		return err
	}
	defer f.Close()
	cfg, _, err := zkserver.ParseConfig(f)
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
