// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// A Client calls the servers under test. Its methods may be called from any
// goroutine.
type Client interface {
	// Call makes one call, of Get if idempotent, else of Put.
	Call(ctx context.Context, idempotent bool, id uint64) Outcome

	// View returns what the client knows of the servers, and what is closed when
	// that changes.
	View() (View, <-chan struct{})

	Close() error
}

// An Outcome is how a call ended.
type Outcome struct {
	Err      error             // nil: it was answered
	Executed rollcall.Executed // of a failed call

	// Suspects are the addresses of the servers that may have executed a failed
	// call and have not said so.
	Suspects []string
}

// A View is what a client knows of the servers.
type View struct {
	Usable []string // addresses of those that are in the list and get calls
	Known  []string // all that it knows: address, entry and state, for people
	Live   bool     // the list is that of the registry, now
}

// rollcallClient is Rollcall's own.
type rollcallClient struct{ *rollcall.Client }

// NewRollcall returns a client of Rollcall at a target.
func NewRollcall(target string) (Client, error) { return newRollcall(target) }

func newRollcall(target string) (rollcallClient, error) {
	c, err := rollcall.NewClient(target, rollcall.ClientOptions{Logger: slog.New(slog.DiscardHandler), ZooKeeper: zookeeper.Options{SessionTimeout: Session}})
	return rollcallClient{c}, err
}

func (c rollcallClient) Call(ctx context.Context, idempotent bool, id uint64) Outcome {
	if idempotent {
		return c.invoke(ctx, get, id)
	}
	return c.invoke(ctx, put, id)
}

// invoke makes a call of a method that answers with the id.
func (c rollcallClient) invoke(ctx context.Context, method rollcall.Method[[]byte, []byte], id uint64) Outcome {
	request := binary.BigEndian.AppendUint64(nil, id)
	reply, err := c.Invoke(ctx, method.Name, request, rollcall.CallOptions{Idempotent: method.Idempotent})
	var failed *rollcall.Error
	switch {
	case errors.As(err, &failed):
		out := Outcome{Err: err, Executed: failed.Executed}
		for _, a := range failed.Report.Attempts {
			if a.Executed == rollcall.ExecutedMaybe {
				out.Suspects = append(out.Suspects, a.Addr)
			}
		}
		return out
	case err == nil && !bytes.Equal(reply, request):
		return Outcome{Err: fmt.Errorf("call %x: wrong reply %x", request, reply), Executed: rollcall.ExecutedYes}
	}
	return Outcome{Err: err}
}

func (c rollcallClient) View() (View, <-chan struct{}) {
	changed := c.Changed()
	snap := c.Snapshot()
	v := View{Live: snap.Source == discovery.SourceLive}
	for _, e := range snap.Endpoints {
		in := &e.Endpoint.Instance
		v.Known = append(v.Known, fmt.Sprintf("%s %s %v", in.Addr(), in.Name, e.State))
		if e.State == balancer.StateUsable {
			v.Usable = append(v.Usable, in.Addr())
		}
	}
	return v, changed
}

// Session is the timeout of every ZooKeeper session: the shortest that a
// ZooKeeper with its default tick grants.
const Session = 4 * time.Second
