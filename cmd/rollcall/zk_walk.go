// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-rpc/rollcall/zk"
)

// requestsAtOnce is how many requests of a walk may be under way: enough to hide
// the way to a distant registry, few enough not to get in the way of others.
const requestsAtOnce = 64

// A znode is one that a walk has found.
type znode struct {
	path  string
	stat  zk.Stat
	known bool // stat is

	children []string // their names, where the walk goes on
	gone     bool     // removed in the meantime
	failed   error    // why it could not be read
}

// A walk is what was found below a node.
type walk struct {
	nodes  []znode // each behind the node it is below
	failed []error // of the nodes that may not be read
}

// walk finds the children of a node, or all that is below it. Details are read
// where they are asked for.
func (z *znodeCommand) walk(ctx context.Context, root string, recursive, details bool) (walk, error) {
	top := z.look(ctx, root)
	if top.failed != nil {
		return walk{}, top.failed
	}
	var found walk
	for level := below([]znode{top}); len(level) > 0; {
		if recursive || details {
			if err := z.lookAtAll(ctx, level, recursive); err != nil {
				return walk{}, err
			}
		}
		level = slices.DeleteFunc(level, func(n znode) bool { return n.gone })
		for i := range level {
			if level[i].failed != nil {
				found.failed = append(found.failed, level[i].failed)
			}
		}
		found.nodes = append(found.nodes, level...)
		if !recursive {
			break
		}
		level = below(level)
	}
	// A slash sorts before all that a name may contain.
	slices.SortFunc(found.nodes, func(a, b znode) int {
		return strings.Compare(strings.ReplaceAll(a.path, "/", "\x00"), strings.ReplaceAll(b.path, "/", "\x00"))
	})
	return found, nil
}

// below returns the children of nodes.
func below(nodes []znode) []znode {
	var children []znode
	for i := range nodes {
		for _, name := range nodes[i].children {
			children = append(children, znode{path: childOf(nodes[i].path, name)}) //nolint:gosec // i ranges over nodes
		}
	}
	return children
}

// lookAtAll reads many nodes, with their children or without. It fails for what
// concerns more than the node itself.
func (z *znodeCommand) lookAtAll(ctx context.Context, nodes []znode, children bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i := range nodes {
		group.Go(func() error {
			if children {
				nodes[i] = z.look(ctx, nodes[i].path)
			}
			if !children || errors.Is(nodes[i].failed, zk.ErrNoAuth) {
				stat, err := z.stat(ctx, nodes[i].path)
				nodes[i].stat, nodes[i].known = stat, err == nil
				nodes[i].failed = cmp.Or(nodes[i].failed, err)
			}
			switch err := nodes[i].failed; {
			case errors.Is(err, zk.ErrNoNode):
				nodes[i].gone = true
			case err != nil && !errors.Is(err, zk.ErrNoAuth):
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// look reads a node's children, which tells its Stat as well.
func (z *znodeCommand) look(ctx context.Context, path string) znode {
	node := znode{path: path}
	node.failed = z.ask(ctx, func(ctx context.Context) (err error) {
		node.children, node.stat, err = z.client.Children(ctx, path)
		return err
	})
	node.known = node.failed == nil
	return node
}
