// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A WatchMode says what a persistent watch sees.
type WatchMode int

// The modes of AddWatch.
const (
	// Persistent sees the node created, deleted and changed, and its list of
	// children changed.
	Persistent WatchMode = iota + 1
	// PersistentRecursive sees the node and everything below it created, deleted
	// and changed. NodeChildrenChanged is not among its events.
	PersistentRecursive
)

// GetW is [Client.Get] that leaves a watch: the channel delivers exactly one
// event, when the data is next changed or the node is deleted, and is closed
// then. The channel is nil where err is not.
func (c *Client) GetW(ctx context.Context, path string) ([]byte, Stat, <-chan Event, error) {
	var resp jute.GetDataResponse
	events, err := c.callWatch(ctx, jute.OpGetData, path, &resp)
	return resp.Data, resp.Stat, events, err
}

// ExistsW is [Client.Exists] that leaves a watch, whether the node exists or
// not: the channel delivers exactly one event, when the node is next created,
// changed or deleted, and is closed then. The channel is nil where err is not.
func (c *Client) ExistsW(ctx context.Context, path string) (Stat, bool, <-chan Event, error) {
	var stat Stat
	events, err := c.callWatch(ctx, jute.OpExists, path, &stat)
	if events != nil && errors.Is(err, ErrNoNode) {
		return Stat{}, false, events, nil
	}
	return stat, err == nil, events, err
}

// ChildrenW is [Client.Children] that leaves a watch: the channel delivers
// exactly one event, when a child is next created or deleted or the node itself
// is deleted, and is closed then. The channel is nil where err is not.
func (c *Client) ChildrenW(ctx context.Context, path string) ([]string, Stat, <-chan Event, error) {
	var resp jute.GetChildren2Response
	events, err := c.callWatch(ctx, jute.OpGetChildren2, path, &resp)
	return resp.Children, resp.Stat, events, err
}

// callWatch makes a read that leaves a one-shot watch. The watch is in the
// table before the next frame is read, so that its event finds it.
func (c *Client) callWatch(ctx context.Context, op jute.OpCode, path string, resp jute.Record) (<-chan Event, error) {
	r, err := c.newRequest(op, path, &jute.PathWatchRequest{Path: path, Watch: true})
	if err != nil {
		return nil, err
	}
	var events chan Event // written and read only before r is done, and after
	r.answered = func(code jute.ErrCode) {
		kind, ok := oneShotKind(op, code)
		if ok && r.stage != stageAbandoned {
			events = make(chan Event, 1)
			c.watches.addOneShot(kind, path, events)
		}
	}
	if err := c.do(ctx, r); err != nil {
		if events != nil && errors.Is(err, ErrNoNode) {
			return events, err
		}
		return nil, err
	}
	return events, r.decode(resp)
}

// A Watch is a persistent watch. See [Client.AddWatch].
type Watch struct {
	client *Client
	path   string
	mode   WatchMode
	events chan Event // sent to and closed under client.mu
}

// AddWatch arms a persistent watch on a path, whether there is a node or not.
// The watch lives until [Watch.Close]: whenever the connection or the session is
// lost the client arms it again and then delivers [Rearmed]. It fails with
// ErrUnimplemented on servers before ZooKeeper 3.6.
func (c *Client) AddWatch(ctx context.Context, path string, mode WatchMode) (*Watch, error) {
	if mode != Persistent && mode != PersistentRecursive {
		err := fmt.Errorf("%w: the mode is %d: use Persistent or PersistentRecursive", ErrBadArguments, int(mode))
		return nil, &Error{Op: jute.OpAddWatch.String(), Path: path, Err: err}
	}
	wire := jute.WatchPersistent
	if mode == PersistentRecursive {
		wire = jute.WatchPersistentRecursive
	}
	r, err := c.newRequest(jute.OpAddWatch, path, &jute.PathModeRequest{Path: path, Mode: wire})
	if err != nil {
		return nil, err
	}
	w := &Watch{client: c, path: path, mode: mode, events: make(chan Event, c.opts.WatchQueue+1)}
	r.answered = func(code jute.ErrCode) {
		switch {
		case code != jute.ErrOk:
		case r.stage == stageAbandoned:
			c.disarm(path, mode)
		default:
			c.watches.add(w)
		}
	}
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	return w, nil
}

// Events returns the channel of the watch's events, in the order in which they
// happened. It holds up to Options.WatchQueue events; what comes when it is full
// is dropped, and [Lost] stands in its place. The channel is closed by Close. It
// is also closed, behind an event with an Err, when the client is closed or its
// authentication fails.
func (w *Watch) Events() <-chan Event { return w.events }

// Path returns the path that is watched.
func (w *Watch) Path() string { return w.path }

// Close ends the watch. It asks the server to forget it, if one is connected
// and nobody else in this client needs it, and waits for the answer or the end
// of the connection. Closing again does nothing.
func (w *Watch) Close() error {
	c := w.client
	c.mu.Lock()
	if !c.watches.remove(w) {
		c.mu.Unlock()
		return nil
	}
	close(w.events)
	r := c.disarm(w.path, w.mode)
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	<-r.done
	if r.err == nil || errors.Is(r.err, ErrNoWatcher) || unanswered(r.err) {
		return nil
	}
	return r.err
}

// disarm asks the server to forget the persistent watches of a path, unless
// there is no connection or another watch of that mode is on the path. c.mu is
// held. It returns the request under way, or nil.
//
// removeWatches takes every watch off the path, one-shot watches and those of
// reads under way included; what the table then holds is armed again.
func (c *Client) disarm(path string, mode WatchMode) *request {
	if c.session.State != StateConnected || c.refusal != nil || c.watches.has(path, mode) {
		return nil
	}
	r := internalRequest(jute.OpRemoveWatches, path, &jute.PathModeRequest{Path: path, Mode: jute.WatcherAny})
	r.answered = func(jute.ErrCode) {
		batches, armed := c.watches.batches(c.lastZxid, path)
		c.push(c.armRequests(batches, armed)...)
	}
	c.push(r)
	return r
}
