// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A call to an instance that has left the list for good does not outlive the
// client, and does not keep it from closing.
func TestCloseEndsCallsToWhoHasLeft(t *testing.T) {
	hang := rollcall.Method[int, int]{Name: "Hang"}
	begun := make(chan struct{})
	s := start(t, "", rollcall.ServerOptions{Registrar: new(discovery.Memory), ID: "a"}, func(s *rollcall.Server) {
		rollcall.Handle(s, hang, func(ctx context.Context, in *int) (*int, error) {
			close(begun)
			<-ctx.Done()
			return in, nil
		})
	})
	in := discovery.Instance{Name: "a", ID: "a", Host: "127.0.0.1", Port: portOf(t, s.addr), Weight: 1, Protocols: []string{rollcall.ProtocolName}}
	list := listOf(in)
	c := newClient(t, list, rollcall.ClientOptions{})
	result := make(chan error, 1)
	go func() {
		_, err := hang.Call(within(t), c, new(1))
		result <- err
	}()
	<-begun
	in.Weight = 0 // disabled: it is forgotten when it leaves
	list.Set([]discovery.Instance{in})
	await(t, c, "the order", func() bool { return c.Snapshot().Counts.Disabled == 1 })
	list.Set(nil)
	await(t, c, "the leave", func() bool { return len(c.Snapshot().Endpoints) == 0 })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.Close()
	}()
	select {
	case <-closed:
	case <-within(t).Done():
		t.Fatal("Close waits for a call")
	}
	wantError(t, <-result, rollcall.CodeCanceled, rollcall.ReasonClosed, rollcall.ExecutedMaybe)
}
