// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/internal/pause"
	"github.com/rollcall-rpc/rollcall/zk"
)

// EditOverrides changes what operators have ordered for the instances of a
// service's directory. Every client follows at once.
//
// It reads the document, lets edit change it and writes it unless somebody else
// has done so meanwhile, in which case it begins again: edit is called with each
// reading, and an error of edit is returned as it is, with nothing written. What
// edit leaves as it was is not written; so an edit that does nothing the second
// time is right even when the answer to a write is lost. A document that cannot
// be read is not changed. EditOverrides goes on until ctx ends, or the handle is
// closed: then it returns ErrClosed.
//
// A node that is created has Options.ACL, and everybody may read it: clients
// with other credentials are to heed it too.
func (s *Session) EditOverrides(ctx context.Context, path string, edit func(*layout.Overrides) error) error {
	path, err := cleanPath(path)
	if err != nil {
		return err
	}
	if s.over() {
		return ErrClosed
	}
	e := overridesEdit{
		registry: s.shared.registry, dir: layout.MetaPath(path), node: layout.OverridesPath(path),
		dirACL: s.opts.ACL, acl: readable(s.opts.ACL), edit: edit,
	}
	var work sync.WaitGroup
	defer work.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work.Go(func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	})
	again := backoff{rand: s.shared.opts.Rand}
	for {
		err := e.once(ctx)
		var refused *editError
		switch {
		case errors.As(err, &refused):
			return refused.error
		case err == nil || !retriable(err):
			return err
		}
		pause.For(ctx, again.next()) //nolint:errcheck // what has ended is asked below
		switch {
		case s.over():
			return ErrClosed
		case ctx.Err() != nil:
			return fmt.Errorf("zookeeper: %s: %w", e.node, errors.Join(ctx.Err(), err))
		}
	}
}

// An editError is an error of the caller's edit, whatever it wraps.
type editError struct{ error }

// An overridesEdit is one edit of a document.
type overridesEdit struct {
	registry    registry
	dir, node   string
	dirACL, acl []zk.ACL
	edit        func(*layout.Overrides) error
}

// once reads, edits and writes.
func (e *overridesEdit) once(ctx context.Context) error {
	// A server of an ensemble may be behind: what was ordered before this call
	// is to be seen.
	if err := e.registry.Sync(ctx, e.node); err != nil {
		return err
	}
	o := new(layout.Overrides)
	data, stat, err := e.registry.Get(ctx, e.node)
	found := !errors.Is(err, zk.ErrNoNode)
	if found && err == nil {
		o, err = layout.DecodeOverrides(data)
	}
	if found && err != nil {
		return fmt.Errorf("zookeeper: %s cannot be read, and so not changed: %w", e.node, err)
	}
	before, err := o.Encode()
	if err != nil {
		return fmt.Errorf("zookeeper: %s: %w", e.node, err)
	}
	if err := e.edit(o); err != nil {
		return &editError{err}
	}
	after, err := o.Encode()
	if err != nil {
		return fmt.Errorf("zookeeper: %s: %w", e.node, err)
	}
	switch {
	case bytes.Equal(before, after):
		return nil
	case found:
		_, err = e.registry.Set(ctx, e.node, after, stat.Version)
		return err
	}
	if err := ensurePath(ctx, e.registry, e.dir, e.dirACL); err != nil {
		return err
	}
	_, err = e.registry.Create(ctx, e.node, after, zk.ModePersistent, e.acl)
	if errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("zookeeper: %s is missing, and may not be created with these credentials: %w", e.dir, zk.ErrNoAuth)
	}
	return err
}

// retriable reports whether an edit that failed is to be begun again: somebody
// else was faster, or there was no answer.
func retriable(err error) bool {
	return unanswered(err) || errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode)
}

// readable returns the ACL with everybody allowed to read.
func readable(acl []zk.ACL) []zk.ACL {
	for _, a := range acl {
		if a.Scheme == "world" && a.Perms&zk.PermRead != 0 {
			return acl
		}
	}
	return append(slices.Clip(acl), zk.ACL{Perms: zk.PermRead, Scheme: "world", ID: "anyone"})
}
