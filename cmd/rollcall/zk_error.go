// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk"
)

// explain words an error of the ZooKeeper client: the node, what is wrong and
// what to do about it. It may ask the registry for that.
func (z *znodeCommand) explain(ctx context.Context, err error) error {
	var failed *zk.Error
	if !errors.As(err, &failed) {
		return err
	}
	what := z.reason(ctx, failed)
	if mayHaveHappened(failed) {
		what += "; it may have been done: look before you do it again"
	}
	return fmt.Errorf("%s: %s", orDash(failed.Path), what)
}

// reason returns what is wrong, and the fix.
func (z *znodeCommand) reason(ctx context.Context, failed *zk.Error) string {
	is := func(target error) bool { return errors.Is(failed, target) }
	switch {
	case ctx.Err() != nil:
		return "interrupted"
	case is(context.DeadlineExceeded):
		return z.silence()
	case is(zk.ErrConnectionLoss):
		return "the connection was lost before the answer came"
	case is(zk.ErrNoNode):
		return z.missing(ctx, failed)
	case is(zk.ErrNodeExists):
		return "the node exists already: change its data with set"
	case is(zk.ErrBadVersion):
		return z.otherVersion(ctx, failed.Path)
	case is(zk.ErrNotEmpty):
		return "the node has children: add -R to remove them too"
	case is(zk.ErrNoAuth):
		return z.forbidden(failed.Op)
	case is(zk.ErrNoChildrenForEphemerals):
		return "its parent is ephemeral and cannot have children"
	case is(zk.ErrRequestTooLarge):
		return "the data is too large: a registry takes requests of up to 1 MiB (jute.maxbuffer)"
	case is(zk.ErrUnimplemented) && failed.Op == "addWatch":
		return "the registry does not know persistent watches: that takes ZooKeeper 3.6 or later"
	}
	return withoutPackage(failed.Err)
}

// mayHaveHappened reports whether a change was asked for and not answered.
func mayHaveHappened(failed *zk.Error) bool {
	switch failed.Op {
	case "create", "delete", "setData", "multi":
		return failed.Sent && (errors.Is(failed, zk.ErrConnectionLoss) || errors.Is(failed, zk.ErrClosed) ||
			errors.Is(failed, context.DeadlineExceeded) || errors.Is(failed, context.Canceled))
	}
	return false
}

// missing names the nearest ancestor that exists.
func (z *znodeCommand) missing(ctx context.Context, failed *zk.Error) string {
	what, fix := "no such node", ""
	if failed.Op == "create" {
		what, fix = "its parent does not exist", ": add --parents"
	}
	for path := failed.Path; path != "/"; {
		path = parentOf(path)
		there := false
		err := z.ask(ctx, func(ctx context.Context) (err error) {
			_, there, err = z.client.Exists(ctx, path)
			return err
		})
		there = there || errors.Is(err, zk.ErrNoAuth) // only of a node that is there
		if err != nil && !there {
			break
		}
		if there {
			return fmt.Sprintf("%s, the nearest that exists is %s%s", what, orDash(path), fix)
		}
	}
	return what + fix
}

// otherVersion tells which version a node has instead.
func (z *znodeCommand) otherVersion(ctx context.Context, path string) string {
	what := "its version is not the one given"
	stat, err := z.stat(ctx, path)
	if err == nil {
		what = fmt.Sprintf("its version is %d, not the one given", stat.Version)
	}
	return what + ": read it again"
}

func (z *znodeCommand) forbidden(op string) string {
	what := "its ACL does not permit that"
	if op == "create" || op == "delete" || op == "multi" {
		what = "the ACL of its parent does not permit that"
	}
	if z.authenticated {
		return what + " to any identity that is given"
	}
	return what + ": give --auth-file FILE with SCHEME:DATA, such as digest:USER:PASSWORD"
}

// parentOf returns the path of a node's parent; the root's is the root.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// childOf returns the path of a child.
func childOf(path, name string) string { return strings.TrimSuffix(path, "/") + "/" + name }
