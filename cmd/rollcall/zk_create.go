// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

// A znodeCreate is one run of "rollcall zk create".
type znodeCreate struct {
	znodeCommand
	ephemeral, sequential, parents bool
	data                           []byte
}

func newZKCreate() *cobra.Command {
	c := &znodeCreate{}
	cmd := &cobra.Command{
		Use:   "create ZNODE [DATA]",
		Short: "Create a znode",
		Long: `Create a znode with DATA, nothing by default; "-" reads it from stdin. It prints the
path, to which --sequential has appended a number of ten digits. Everybody may do
everything with the znode.

An ephemeral znode lasts as long as this command, which then goes on until it is
interrupted; if it is killed, until its session of 10 s times out.

Data that begins with - goes behind --.`,
		Example: `  rollcall zk create /config/limit 250 --parents
  rollcall zk create /queue/job- --sequential '{"id":7}'
  rollcall zk create /lock --ephemeral`,
		Args: argCount(1, "ZNODE", "DATA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := c.parse(cmd, args[0])
			if err != nil {
				return err
			}
			if c.sequential && c.path != "/" && strings.HasSuffix(args[0], "/") {
				c.path += "/" // the name is the number alone
			}
			if c.path == "/" && !c.sequential {
				return usagef("ZNODE %q: the root exists always, give the path of another node", args[0])
			}
			if c.data, err = c.readData(cmd.Context(), args[1:]); err != nil {
				return err
			}
			return c.run(cmd.Context(), c.createAndHold)
		},
	}
	cmd.Flags().BoolVarP(&c.ephemeral, "ephemeral", "e", false, "remove it when this command ends, and go on until interrupted")
	cmd.Flags().BoolVarP(&c.sequential, "sequential", "s", false, "append the next number")
	cmd.Flags().BoolVarP(&c.parents, "parents", "p", false, "create what is missing above it, empty")
	return c.addFlags(cmd, true)
}

func (c *znodeCreate) createAndHold(ctx context.Context) error {
	path, err := c.create(ctx)
	if c.parents && errors.Is(err, zk.ErrNoNode) {
		err = c.ask(ctx, func(ctx context.Context) error { return c.client.EnsurePath(ctx, parentOf(c.path)) })
		if err == nil {
			path, err = c.create(ctx)
		}
	}
	if err != nil {
		return err
	}
	if c.output == formatJSON {
		err = encode(c.stdout, nodeJSON{Path: path})
	} else {
		_, err = fmt.Fprintln(c.stdout, orDash(path))
	}
	if err != nil || !c.ephemeral {
		return err
	}
	return c.hold(ctx, path)
}

func (c *znodeCreate) create(ctx context.Context) (path string, err error) {
	mode := zk.ModePersistent
	switch {
	case c.ephemeral && c.sequential:
		mode = zk.ModeEphemeralSequential
	case c.ephemeral:
		mode = zk.ModeEphemeral
	case c.sequential:
		mode = zk.ModePersistentSequential
	}
	err = c.ask(ctx, func(ctx context.Context) error {
		path, err = c.client.Create(ctx, c.path, c.data, mode, nil)
		return err
	})
	return path, err
}

// hold keeps an ephemeral node until ctx ends, or fails when it is gone.
func (c *znodeCreate) hold(ctx context.Context, path string) error {
	fmt.Fprintln(c.stderr, "the node is there until this command ends: interrupt it")
	link := linkReport{client: c.client, stderr: c.stderr}
	for {
		stat, there, changed, err := c.client.ExistsW(ctx, path)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the user ends it
		case errors.Is(err, zk.ErrConnectionLoss):
			continue // the next one waits for a connection
		case err != nil:
			return err
		case !there || stat.EphemeralOwner != c.client.Session().ID:
			return fmt.Errorf("%s: the node is gone: somebody has removed it, or the session has expired", orDash(path))
		}
		if link.until(ctx, changed); ctx.Err() != nil {
			return nil //nolint:nilerr // the user ends it
		}
	}
}
