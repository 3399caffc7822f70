// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/internal/tlsfront"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A target at zks:// was spoken to in clear text where no TLS was set: neither a
// server nor a client may reach a registry that knows no TLS by it. With TLS both
// find each other.
func TestRegistryTLS(t *testing.T) {
	registry := zktest.Start(t)
	ca := testca.New("registry")
	front := tlsfront.Start(t, registry.Addr(), &tls.Config{Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{"127.0.0.1"}}).TLS()}})
	secured := zookeeper.Options{TLS: &tls.Config{RootCAs: ca.Pool()}}

	target := "zks://" + front.Addr() + "/rpc"
	start(t, "", rollcall.ServerOptions{Registry: target, ZooKeeper: secured}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("a")) })
	c, err := rollcall.NewClient(target, meeting.client(rollcall.ClientOptions{ZooKeeper: secured}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{WaitForReady: true}); err != nil {
		t.Error(err)
	}

	plain := "zks://" + registry.Addr() + "/rpc"
	s := start(t, "", rollcall.ServerOptions{Registry: plain}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("b")) })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if entry, err := s.Registered(ctx); err == nil {
		t.Errorf("the server registered in clear text, as %s", entry)
	}
	trusting, err := rollcall.NewClient(plain, meeting.client(rollcall.ClientOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer trusting.Close()
	if err := trusting.Ready(ctx); err == nil || !strings.Contains(err.Error(), "0 listed") {
		t.Errorf("the client speaks clear text: %v", err)
	}
}
