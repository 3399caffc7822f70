// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package cli is what the two divide programs have in common: signals, exit
// statuses, flags and the default registry.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The exit statuses.
const (
	StatusOK     = 0
	StatusFailed = 1
	StatusUsage  = 2
)

// RegistryVariable is the environment variable with the default target.
const RegistryVariable = "ROLLCALL_REGISTRY"

const defaultRegistry = "zk://127.0.0.1:2181/rpc"

// A Run is a program. It returns the exit status.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// Main runs a program and exits with its status. The first SIGINT or SIGTERM
// ends its context, the second the process.
func Main(run Run) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// Flags are the flags of a program and how it is used.
type Flags struct {
	*flag.FlagSet
	Registry string // the target

	usage string
}

// NewFlags returns the flags that every program has. usage is what --help shows
// above the flags.
func NewFlags(name, usage string) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), usage: usage}
	registry := os.Getenv(RegistryVariable)
	if registry == "" {
		registry = defaultRegistry
	}
	f.StringVar(&f.Registry, "registry", registry, "the service's `target`; the environment's "+RegistryVariable+" is the default where it is set")
	f.SetOutput(io.Discard) // Parse says what is wrong, once
	f.Usage = func() {}
	return f
}

// Parse reads args. check looks at the values afterwards. Where the program is
// not to go on, done is true: help was wanted and is on stdout, or the usage is
// wrong and stderr says why.
func (f *Flags) Parse(args []string, stdout, stderr io.Writer, check func() error) (status int, done bool) {
	err := f.FlagSet.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stdout, f.usage)
		f.SetOutput(stdout)
		f.PrintDefaults()
		return StatusOK, true
	}
	if err == nil {
		err = check()
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nTry --help.\n", f.Name(), err)
		return StatusUsage, true
	}
	return StatusOK, false
}

// NotNegative returns an error unless d is at least 0.
func NotNegative(name string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("-%s %v: give 0 or more", name, d)
	}
	return nil
}
