// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// defaultTarget is the target where none is given, and environmentTarget the
// variable that names another one.
const (
	defaultTarget     = "zk://127.0.0.1:2181/rpc"
	environmentTarget = "ROLLCALL_REGISTRY"
)

// parseTarget reads the argument, else the environment, else the default.
func parseTarget(args []string) (discovery.Target, error) {
	text, from := defaultTarget, ""
	switch {
	case len(args) > 0:
		text = args[0]
	case os.Getenv(environmentTarget) != "":
		text, from = os.Getenv(environmentTarget), "environment variable "+environmentTarget+": "
	}
	target, err := discovery.ParseTarget(text)
	if err != nil {
		return target, usagef("%s%w", from, err)
	}
	return target, nil
}

// openResolver returns who knows the instances of a target, and what to close
// afterwards.
func openResolver(target discovery.Target, opts zookeeper.Options) (discovery.Resolver, func(), error) {
	if target.Scheme == discovery.SchemeStatic {
		resolver, err := discovery.NewStatic(target.Hosts)
		return resolver, func() {}, err
	}
	session, err := zookeeper.OpenTarget(target, opts)
	if err != nil {
		return nil, nil, err
	}
	return session.Resolver(target.Path), func() { session.Close() }, nil // nothing depends on it
}
