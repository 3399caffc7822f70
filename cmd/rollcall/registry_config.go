// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// readConfig takes what the configuration file says, where the command line does
// not say it itself.
func (f *registryFlags) readConfig(given *pflag.FlagSet, logger *slog.Logger) error {
	file, err := os.Open(string(f.config))
	if err != nil {
		return usagef("--config: %w: give a zoo.cfg that can be read", err)
	}
	defer file.Close()
	cfg, warnings, err := zkserver.ParseConfig(file)
	if err != nil {
		return &usageError{fmt.Errorf("--config %s: %w", f.config, err)}
	}
	for _, w := range warnings {
		logger.Warn("configuration", slog.String("why", w.Why), slog.String("file", string(f.config)), slog.Int("line", w.Line),
			slog.String("key", w.Key), slog.String("value", w.Value))
	}
	f.base = cfg.Options
	if !given.Changed("listen") {
		f.listen = address(cfg.Address)
	}
	if !given.Changed("data") && !f.memory {
		f.data = directory(cfg.Options.DataDir)
	}
	if d := cfg.Options.TickTime; d > 0 && !given.Changed("tick") {
		f.tick.d = d
	}
	if !given.Changed("min-session-timeout") {
		f.minSession.d = cfg.Options.MinSessionTimeout
	}
	if !given.Changed("max-session-timeout") {
		f.maxSession.d = cfg.Options.MaxSessionTimeout
	}
	return nil
}
