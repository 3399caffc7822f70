// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// closeTimeout bounds how long Close waits for the server to end the session.
const closeTimeout = time.Second

// A Client is one session with ZooKeeper. Create it with [New].
type Client struct {
	opts   Options
	log    *slog.Logger
	cancel context.CancelFunc
	closed sync.Once
	done   chan struct{} // closed when the goroutine of run has ended, with all it started
	wake   chan struct{} // holds one token while the writer has something to look at

	mu       sync.Mutex    // guards what follows; never held across I/O or a wait
	session  Session       //
	changed  chan struct{} // closed at the next change of session
	refusal  error         // why no call is possible any more: ErrClosed or ErrAuthFailed
	queue    queue         // not written
	pending  []*request    // written, in the order of their answers
	watches  watchTable    //
	xid      int32         // the last one used
	lastZxid int64         // the largest in an answer of this session
}

// New returns a client of the servers, each "host:port", that belong to one
// ensemble. It returns at once and connects in the background; names are
// resolved anew at each attempt. It fails only for arguments that cannot be
// used, and names every field that is wrong.
func New(servers []string, opts Options) (*Client, error) {
	if err := errors.Join(checkServers(servers), opts.check()); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opts:    opts,
		log:     opts.Logger,
		cancel:  cancel,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		session: Session{State: StateConnecting, Since: time.Now()},
		changed: make(chan struct{}),
		watches: newWatchTable(),
	}
	go c.run(ctx, newHosts(slices.Clone(servers), opts))
	return c, nil
}

// Close ends the session: the server, if one is connected, is asked to remove
// the session's ephemeral nodes and answers within a second or is left alone;
// without a connection they live until the session times out. Calls that wait
// for a connection fail with ErrClosed at once, calls that wait for an answer get
// it if it comes first. Close returns when every goroutine of the client has
// ended. Closing again waits for the same and does nothing else.
func (c *Client) Close() error {
	c.closed.Do(func() {
		if r := c.beginClose(); r != nil {
			timeout := time.NewTimer(closeTimeout)
			defer timeout.Stop()
			select {
			case <-r.done:
			case <-timeout.C:
			case <-c.done:
			}
		}
		c.cancel()
		<-c.done
		c.mu.Lock()
		defer c.mu.Unlock()
		c.updateSession(func(s *Session) { s.State, s.Server, s.LastErr = StateClosed, "", ErrClosed })
	})
	return nil
}

// beginClose refuses calls from now on and asks the server to end the session.
// It returns that request, or nil when there is no connection.
func (c *Client) beginClose() *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse(ErrClosed)
	if c.session.State != StateConnected {
		return nil
	}
	r := internalRequest(jute.OpCloseSession, "", &jute.Empty{})
	c.push(r)
	return r
}

// refuse fails the calls that have not been written, and every call to come.
// c.mu is held.
func (c *Client) refuse(err error) {
	c.refusal = err
	list := c.queue.list
	c.queue = queue{}
	for _, r := range list {
		if r.stage == stageQueued {
			r.finish(nil, r.failure(false, err))
		}
	}
}
