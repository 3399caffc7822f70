// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	_ "google.golang.org/grpc/xds" // the only public way to outlier detection
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

// grpcConfig is the service config. round_robin below outlier detection (gRFC
// A50): its documented defaults wait for 10 s and for five hosts and eject a
// tenth of them, which is nobody of three; here it looks every second, from two
// hosts on, and may eject half. The retry policy is that of grpc-go's example
// (examples/features/retry), for the method that may run twice.
const grpcConfig = `{
  "loadBalancingConfig": [{"outlier_detection_experimental": {
    "interval": "1s", "baseEjectionTime": "5s", "maxEjectionPercent": 50,
    "successRateEjection": {"minimumHosts": 2, "requestVolume": 50},
    "failurePercentageEjection": {"threshold": 50, "minimumHosts": 2, "requestVolume": 20},
    "childPolicy": [{"round_robin": {}}]
  }}],
  "methodConfig": [{
    "name": [{"service": "chaos.Chaos", "method": "Get"}],
    "waitForReady": true,
    "retryPolicy": {
      "maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1.0,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// grpcKeepalive is that of grpc-go's example (examples/features/keepalive), whose
// 10 s are the least that grpc-go allows.
var grpcKeepalive = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true}

// grpcClient is grpc-go behind the list of a registry.
type grpcClient struct {
	conn    *grpc.ClientConn
	session *zookeeper.Session
	stop    context.CancelFunc
	watch   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	view    chaos.View
	changed chan struct{}
}

func newGRPCClient(text string) (chaos.Client, error) {
	target, err := discovery.ParseTarget(text)
	if err != nil {
		return nil, err
	}
	list := manual.NewBuilderWithScheme("registry")
	list.InitialState(resolver.State{})
	conn, err := grpc.NewClient("registry:///chaos", grpc.WithResolvers(list), grpc.WithDefaultServiceConfig(grpcConfig),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(grpcKeepalive))
	if err != nil {
		return nil, err
	}
	conn.Connect()
	session, err := zookeeper.Open(target.Hosts, zookeeper.Options{SessionTimeout: chaos.Session})
	if err != nil {
		conn.Close() // it is of no use
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &grpcClient{conn: conn, session: session, stop: stop, changed: make(chan struct{})}
	c.watch.Go(func() {
		session.Resolver(target.Path).Watch(ctx, func(u discovery.Update) { c.update(list, &u) }) //nolint:errcheck // it ends with ctx
	})
	return c, nil
}

// update hands a list to grpc-go.
func (c *grpcClient) update(list *manual.Resolver, u *discovery.Update) {
	var state resolver.State
	view := chaos.View{Live: u.Source == discovery.SourceLive}
	for i := range u.Instances {
		addr := u.Instances[i].Addr()
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
		view.Usable = append(view.Usable, addr)
		view.Known = append(view.Known, addr+" "+u.Instances[i].Name)
	}
	list.UpdateState(state)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view = view
	close(c.changed)
	c.changed = make(chan struct{})
}

// Call makes one call. grpc-go does not tell whether a failed one was executed.
func (c *grpcClient) Call(ctx context.Context, idempotent bool, id uint64) chaos.Outcome {
	method := methodPut
	if idempotent {
		method = methodGet
	}
	out := new(wrapperspb.UInt64Value)
	err := c.conn.Invoke(ctx, "/"+service+"/"+method, wrapperspb.UInt64(id), out)
	if err == nil && out.GetValue() != id {
		err = fmt.Errorf("call %d: wrong reply %d", id, out.GetValue())
	}
	return chaos.Outcome{Err: err, Executed: rollcall.ExecutedMaybe}
}

// View returns the list: what grpc-go makes of it is not to be seen.
func (c *grpcClient) View() (chaos.View, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view, c.changed
}

func (c *grpcClient) Close() error {
	c.stop()
	c.watch.Wait()
	c.session.Close() // nothing depends on it
	return c.conn.Close()
}
