// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"strconv"
	"time"
)

// A State is where a client stands with its session.
type State int

// The states of a client.
const (
	// StateConnecting: no connection. The session, if there was one, may be alive.
	StateConnecting State = iota + 1
	// StateConnected: a server has confirmed the session.
	StateConnected
	// StateExpired: a server has ended the session; a new one is being opened.
	StateExpired
	// StateAuthFailed: a server has refused an entry of Options.Auths. Final: every
	// call fails with ErrAuthFailed, and all that is left to do is Close.
	StateAuthFailed
	// StateClosed: Close was called. Final.
	StateClosed
)

// String returns the name of the state.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateConnected:
		return "connected"
	case StateExpired:
		return "expired"
	case StateAuthFailed:
		return "auth failed"
	case StateClosed:
		return "closed"
	}
	return "state " + strconv.Itoa(int(s))
}

// A Session is a snapshot of a client's session.
type Session struct {
	State      State
	ID         int64         // 0 before the first session, and after an expiry until the next
	Timeout    time.Duration // as settled with the server; 0 before the first session
	Server     string        // the server connected to, as given to New; "" without a connection
	Since      time.Time     // when State was entered
	LastErr    error         // why there is no connection; nil when connected
	Generation uint64        // counts the sessions of this client; 0 before the first
}

// Session returns where the session stands now.
func (c *Client) Session() Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Changed returns a channel that is closed at the next change of [Client.Session].
// Take the channel first, then read the session: no change is missed so, though
// several may be seen as one.
func (c *Client) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Connected waits until the client is connected. It fails with the error of ctx,
// with ErrAuthFailed or with ErrClosed. When ctx ends, the text of the error
// tells why there is no connection.
func (c *Client) Connected(ctx context.Context) error {
	for {
		c.mu.Lock()
		s, changed, refusal := c.session, c.changed, c.refusal
		c.mu.Unlock()
		switch {
		case refusal != nil:
			return &Error{Op: "connect", Err: refusal}
		case s.State == StateConnected:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &Error{Op: "connect", Err: &waitError{ctx.Err(), s.LastErr}}
		}
	}
}

// A waitError is the end of a context and what was waited for in vain.
type waitError struct{ ctx, last error }

func (e *waitError) Error() string {
	if e.last == nil {
		return e.ctx.Error()
	}
	return e.ctx.Error() + ", last: " + bare(e.last)
}

func (e *waitError) Unwrap() []error {
	if e.last == nil {
		return []error{e.ctx}
	}
	return []error{e.ctx, e.last}
}

// updateSession changes the session and tells who waits for a change. c.mu is
// held.
func (c *Client) updateSession(change func(*Session)) {
	before := c.session.State
	change(&c.session)
	if c.session.State != before {
		c.session.Since = time.Now()
	}
	close(c.changed)
	c.changed = make(chan struct{})
}
