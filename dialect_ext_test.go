// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A slowCaller answers when its connection is closed, and not before. Like any
// user's type it need not be comparable.
type slowCaller struct {
	ctx    context.Context //nolint:containedctx // ends with Close
	end    func()
	refuse []string // the methods that it does not know
}

func (c slowCaller) Call(ctx context.Context, r rollcall.Request) (rollcall.Reply, error) {
	if r.Method == "Vague" {
		return rollcall.Reply{}, &rollcall.Error{Code: rollcall.CodeAborted}
	}
	if slices.Contains(c.refuse, r.Method) {
		return rollcall.Reply{}, &rollcall.Error{Code: rollcall.CodeUnimplemented, Reason: rollcall.ReasonUnknownMethod, Executed: rollcall.ExecutedNo}
	}
	select {
	case <-c.ctx.Done():
		return rollcall.Reply{}, errors.New("the connection is closed")
	case <-ctx.Done():
		return rollcall.Reply{}, ctx.Err()
	}
}

func (c slowCaller) Close() error {
	c.end()
	return nil
}

var slowInstance = discovery.Instance{Name: "x", ID: "x", Host: "h", Port: 1, Weight: 1, Protocols: []string{"slow"}}

// slowClient returns a client of slowInstance whose list the test changes.
func slowClient(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), hello func(context.Context, net.Conn) error) (*rollcall.Client, *discovery.Memory) {
	t.Helper()
	list := listOf(slowInstance)
	c, err := rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: list, Dial: dial, Dialects: []rollcall.Dialect{{
		Protocol: "slow",
		Dial: func(ctx context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
			open, end := context.WithCancel(context.Background())
			return slowCaller{open, end, []string{"Unknown"}}, hello(ctx, conn)
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return c, list
}

func pipe(context.Context, string, string) (net.Conn, error) {
	conn, _ := net.Pipe()
	return conn, nil
}

func noHello(context.Context, net.Conn) error { return nil }

// A call in a foreign format returns when its time is up, also while it is
// connecting; and who does not connect in time is set aside all the same.
func TestDialectKeepsToTheDeadline(t *testing.T) {
	vanished := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	silent := func(_ context.Context, conn net.Conn) error {
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	for name, tt := range map[string]struct {
		dial  func(context.Context, string, string) (net.Conn, error)
		hello func(context.Context, net.Conn) error
	}{"no connection": {vanished, noHello}, "no greeting": {pipe, silent}} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := slowClient(t, tt.dial, tt.hello)
			defer c.Close()
			begun := time.Now()
			_, err := c.Invoke(t.Context(), "M", nil, rollcall.CallOptions{Timeout: 100 * time.Millisecond})
			if took := time.Since(begun); took != 100*time.Millisecond {
				t.Errorf("%s: took %v, want 100ms", name, took)
			}
			wantError(t, err, rollcall.CodeDeadlineExceeded, "", rollcall.ExecutedNo)
			time.Sleep(time.Second - 100*time.Millisecond)
			synctest.Wait()
			if counts := c.Snapshot().Counts; counts.SetAside != 1 {
				t.Errorf("%s: %v after the dial, want 1 set aside", name, counts)
			}
		})
	}
}

// An error of a dialect that does not say whether the call was executed is not
// taken for one that does.
func TestDialectThatDoesNotSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := slowClient(t, pipe, noHello)
		defer c.Close()
		_, err := c.Invoke(t.Context(), "Vague", nil, rollcall.CallOptions{})
		wantError(t, err, rollcall.CodeAborted, "", rollcall.ExecutedMaybe)
	})
}

// What a dialect refuses to send says nothing of the instance.
func TestDialectThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := slowClient(t, pipe, noHello)
		defer c.Close()
		_, err := c.Invoke(t.Context(), "Unknown", nil, rollcall.CallOptions{})
		wantError(t, err, rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, rollcall.ExecutedNo)
		synctest.Wait()
		if counts := c.Snapshot().Counts; counts.Usable != 1 {
			t.Errorf("got %v, want 1 usable", counts)
		}
	})
}

// Closing the client ends calls in a foreign format, also those to an instance
// that has left for good.
func TestCloseEndsCallsOfDialects(t *testing.T) {
	for _, left := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, list := slowClient(t, pipe, noHello)
			result := make(chan error, 1)
			go func() {
				_, err := c.Invoke(context.Background(), "M", nil, rollcall.CallOptions{})
				result <- err
			}()
			synctest.Wait()
			if left {
				gone := slowInstance
				gone.Weight = 0 // disabled: it is forgotten when it leaves
				list.Set([]discovery.Instance{gone})
				synctest.Wait()
				list.Set(nil)
				synctest.Wait()
			} else if in := c.State().Instances[0]; in.Connections != 1 {
				t.Errorf("%d connections with a call on one, want 1", in.Connections)
			}
			c.Close()
			wantError(t, <-result, rollcall.CodeCanceled, rollcall.ReasonClosed, rollcall.ExecutedMaybe)
		})
	}
}
