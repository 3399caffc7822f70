// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

func newZKSet() *cobra.Command {
	z, version := &znodeCommand{}, anyVersion
	cmd := &cobra.Command{
		Use:   "set ZNODE DATA",
		Short: "Replace the data of a znode",
		Long: `Replace the data of a znode that exists; "-" reads it from stdin. It prints the new
version. With --version it is replaced only if nobody has changed it since that
version.

Data that begins with - goes behind --.`,
		Example: `  rollcall zk set /config/limit 250
  rollcall zk set /config/limit 300 --version 4
  rollcall zk set /config/limit -- -1
  jq .routes routes.json | rollcall zk set /config/routes -`,
		Args: argCount(2, "ZNODE", "DATA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.parse(cmd, args[0]); err != nil {
				return err
			}
			data, err := z.readData(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			return z.run(cmd.Context(), func(ctx context.Context) error { return z.set(ctx, data, int32(version)) })
		},
	}
	cmd.Flags().Var(&version, "version", "replace the data only if it has this version")
	return z.addFlags(cmd, true)
}

func (z *znodeCommand) set(ctx context.Context, data []byte, version int32) error {
	var stat zk.Stat
	err := z.ask(ctx, func(ctx context.Context) (err error) {
		stat, err = z.client.Set(ctx, z.path, data, version)
		return err
	})
	switch {
	case err != nil:
		return err
	case z.output == formatJSON:
		return encode(z.stdout, nodeJSON{z.path, statToJSON(&stat)})
	}
	_, err = fmt.Fprintf(z.stdout, "version %d\n", stat.Version)
	return err
}

// readData returns the DATA argument, or what it stands for.
func (z *znodeCommand) readData(ctx context.Context, args []string) ([]byte, error) {
	switch {
	case len(args) == 0:
		return []byte{}, nil
	case args[0] != "-":
		return []byte(args[0]), nil
	}
	data, err := readStdin(ctx, z.stdin)
	if err != nil {
		return nil, fmt.Errorf("DATA from stdin: %w", err)
	}
	if len(data) > maxStdin {
		return nil, usagef("DATA from stdin: give at most %d bytes, and a registry takes 1 MiB by default", maxStdin)
	}
	return data, nil
}
