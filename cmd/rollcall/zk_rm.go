// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

const (
	// removeAtOnce and removeBytes bound the nodes that are removed in one
	// transaction, and their paths: well below what a request may be.
	removeAtOnce = 1000
	removeBytes  = 512 << 10
	// removeRounds is how often a tree that others change meanwhile is walked.
	removeRounds = 5
)

func newZKRm() *cobra.Command {
	z, version, recursive := &znodeCommand{}, anyVersion, false
	cmd := &cobra.Command{
		Use:   "rm ZNODE",
		Short: "Remove a znode",
		Long: fmt.Sprintf(`Remove a znode; with -R what is below it too: up to %d znodes at once, all or
none, more of them deepest first. With --version it is removed only if nobody has
changed it since that version.

The root and ZooKeeper's own znodes are refused.`, removeAtOnce),
		Example: `  rollcall zk rm /config/limit
  rollcall zk rm /config/limit --version 4
  rollcall zk rm -R /config`,
		Args: argCount(1, "ZNODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.parse(cmd, args[0]); err != nil {
				return err
			}
			if slices.Contains([]string{"/", zk.SystemPath, zk.QuotaPath, zk.ConfigPath}, z.path) {
				return usagef("ZNODE %q: ZooKeeper needs it, give another one", args[0])
			}
			if recursive && version != anyVersion {
				return usagef("--version %d: it is the version of one node, leave it out with -R", version)
			}
			return z.run(cmd.Context(), func(ctx context.Context) error {
				if recursive {
					return z.removeAll(ctx)
				}
				return z.ask(ctx, func(ctx context.Context) error { return z.client.Delete(ctx, z.path, int32(version)) })
			})
		},
	}
	cmd.Flags().Var(&version, "version", "remove it only if its data has this version")
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "with all that is below it")
	return z.addFlags(cmd, false)
}

// removeAll removes the node and all that is below it. What others add or remove
// meanwhile makes it look again.
func (z *znodeCommand) removeAll(ctx context.Context) error {
	removed := 0
	for round := range removeRounds {
		found, err := z.walk(ctx, z.path, true, false)
		switch {
		case errors.Is(err, zk.ErrNoNode) && round > 0:
			return z.tellRemoved(removed) // somebody else has finished it
		case err != nil:
			return err
		case len(found.failed) > 0:
			return found.failed[0]
		}
		n, err := z.removeNodes(ctx, found.nodes)
		removed += n
		switch {
		case err == nil:
			return z.tellRemoved(removed)
		case !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNotEmpty):
			return err
		}
	}
	return fmt.Errorf("%s: others change what is below it: removed %d nodes in %d rounds, try again", orDash(z.path), removed, removeRounds)
}

// removeNodes removes what is below the node and then the node, in as few
// transactions as will hold them, and returns how many nodes are gone.
func (z *znodeCommand) removeNodes(ctx context.Context, below []znode) (removed int, err error) {
	paths := []string{z.path}
	for i := range below {
		paths = append(paths, below[i].path)
	}
	slices.Reverse(paths) // each before the node it is below
	for len(paths) > 0 {
		var ops []zk.Op
		for size := 0; len(ops) < min(removeAtOnce, len(paths)); {
			path := paths[len(ops)]
			if size += len(path); size > removeBytes && len(ops) > 0 {
				break
			}
			ops = append(ops, zk.DeleteOp(path, zk.AnyVersion))
		}
		err := z.ask(ctx, func(ctx context.Context) error {
			_, err := z.client.Multi(ctx, ops...)
			return err
		})
		if err != nil {
			return removed, err
		}
		removed += len(ops)
		paths = paths[len(ops):]
	}
	return removed, nil
}

func (z *znodeCommand) tellRemoved(n int) error {
	noun := "nodes"
	if n == 1 {
		noun = "node"
	}
	fmt.Fprintf(z.stderr, "removed %d %s\n", n, noun)
	return nil
}
