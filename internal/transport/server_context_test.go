// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The lazy context behaves like one of package context, asked for Done or not.
func TestCallContext(t *testing.T) {
	why := errors.New("why")
	for _, early := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 1))
			defer cancel(nil)
			fresh := func(timeout time.Duration) *CallContext {
				c := &CallContext{parent: parent}
				if timeout > 0 {
					c.deadline = time.Now().Add(timeout)
				}
				if early {
					_ = c.Done()
				}
				return c
			}
			isDone := func(c context.Context) bool {
				select {
				case <-c.Done():
					return true
				default:
					return false
				}
			}

			c := fresh(time.Second)
			if c.Err() != nil || isDone(c) || c.Value(key{}) != 1 {
				t.Errorf("early %v: a fresh context has Err %v", early, c.Err())
			}
			time.Sleep(time.Second)
			synctest.Wait()
			c.end(nil)
			if !errors.Is(c.Err(), context.DeadlineExceeded) || !isDone(c) {
				t.Errorf("early %v: after the deadline Err is %v", early, c.Err())
			}

			c = fresh(0)
			if _, ok := c.Deadline(); ok {
				t.Error("a deadline without one")
			}
			child, stop := context.WithCancel(c)
			defer stop()
			c.end(why)
			if !errors.Is(c.Err(), context.Canceled) || !isDone(c) || child.Err() == nil {
				t.Errorf("early %v: after end Err is %v, the child's %v", early, c.Err(), child.Err())
			}
			if got := context.Cause(c); !errors.Is(got, why) {
				t.Errorf("early %v: cause %v", early, got)
			}

			c = fresh(0)
			c.end(nil)
			if !isDone(c) || !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("early %v: after the handler Err is %v", early, c.Err())
			}

			c = fresh(0)
			cancel(why)
			synctest.Wait()
			if !errors.Is(c.Err(), context.Canceled) || !isDone(c) || !errors.Is(context.Cause(c), why) {
				t.Errorf("early %v: after the parent Err is %v", early, c.Err())
			}
		})
	}
}
