// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// An exampleTB stands for the *testing.T that a test has.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()            {}
func (*exampleTB) Fatal(args ...any)  { panic(fmt.Sprint(args...)) }
func (t *exampleTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *exampleTB) end() {
	for _, f := range t.cleanups {
		f()
	}
}

func Example() {
	t := new(exampleTB)
	defer t.end()

	srv := zktest.Start(t)
	client, err := zk.New([]string{srv.Addr()}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	path, err := client.Create(ctx, "/server", []byte("{}"), zk.ModeEphemeralSequential, zk.WorldAnyone())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(path, "is there")

	srv.ExpireSession(client.Session().ID)
	_, ok, err := client.Exists(ctx, path)
	if err != nil { // it was on its way when the connection ended, and changes nothing: again
		_, ok, err = client.Exists(ctx, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("after the session has expired:", ok)
	// Output:
	// /server0000000000 is there
	// after the session has expired: false
}

// startServer is zktest.Start with sessions that outlast a busy machine.
func startServer(t *exampleTB) *zktest.Server {
	return zktest.StartOptions(t, zktest.Options{MaxSessionTimeout: time.Minute})
}

// connectTo returns a client for the examples below.
func connectTo(t *exampleTB, srv *zktest.Server) *zk.Client {
	client, err := zk.New([]string{srv.Addr()}, zk.Options{BackoffMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// The second node created under /rpc is there, but its creator was not told.
func ExampleSequence() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	client, ctx := connectTo(t, srv), context.Background()
	lost := srv.Inject(zktest.Sequence(zktest.Match{Ops: zktest.Creates, Under: "/rpc"}, zktest.Pass, zktest.CutAfter))

	for _, path := range []string{"/rpc", "/rpc/a", "/rpc/b"} {
		_, err := client.Create(ctx, path, nil, zk.ModePersistent, nil)
		fmt.Println(path, "lost:", errors.Is(err, zk.ErrConnectionLoss))
	}
	<-lost.Happened(1)
	_, ok, err := client.Exists(ctx, "/rpc/b")
	fmt.Println("/rpc/b exists:", ok, err)
	// Output:
	// /rpc lost: false
	// /rpc/a lost: false
	// /rpc/b lost: true
	// /rpc/b exists: true <nil>
}

// A hook of one's own counts and decides.
func ExampleServer_Inject() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	client, ctx := connectTo(t, srv), context.Background()
	budget := 1
	full := srv.Inject(func(r *zktest.Request) zktest.Fault {
		create, ok := r.Body.(*jute.CreateRequest)
		if !ok {
			return zktest.Pass
		}
		if budget -= len(create.Data); budget < 0 {
			return zktest.Fail(jute.ErrQuotaExceeded)
		}
		return zktest.Pass
	})

	for _, data := range []string{"1", "2"} {
		_, err := client.Create(ctx, "/"+data, []byte(data), zk.ModePersistent, nil)
		fmt.Println(err)
	}
	full.Remove()
	_, err := client.Create(ctx, "/3", []byte("3"), zk.ModePersistent, nil)
	fmt.Println(err, full.Count())
	// Output:
	// <nil>
	// zk: create "/2": quota exceeded
	// <nil> 1
}

func ExampleOnce() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	client, ctx := connectTo(t, srv), context.Background()
	srv.Inject(zktest.Once(zktest.Match{Path: "/config"}, zktest.Fail(jute.ErrNoAuth)))

	for range 2 {
		_, _, err := client.Exists(ctx, "/config")
		fmt.Println(err)
	}
	// Output:
	// zk: exists "/config": not permitted by the node's ACL
	// <nil>
}

// A loop that tries again is through at the fourth attempt.
func ExampleTimes() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	client, ctx := connectTo(t, srv), context.Background()
	cut := srv.Inject(zktest.Times(zktest.Match{Ops: zktest.Creates}, 3, zktest.CutBefore))

	attempts := 0
	for err := zk.ErrConnectionLoss; errors.Is(err, zk.ErrConnectionLoss); attempts++ {
		_, err = client.Create(ctx, "/a", nil, zk.ModePersistent, nil)
	}
	fmt.Println(attempts, "attempts,", cut.Count(), "cut")
	// Output: 4 attempts, 3 cut
}

// Nobody may write, as on a registry that is full.
func ExampleAlways() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	client, ctx := connectTo(t, srv), context.Background()
	srv.Inject(zktest.Always(zktest.Match{Ops: zktest.Creates}, zktest.Fail(jute.ErrQuotaExceeded)))

	for _, path := range []string{"/a", "/b"} {
		_, err := client.Create(ctx, path, nil, zk.ModePersistent, nil)
		fmt.Println(err)
	}
	// Output:
	// zk: create "/a": quota exceeded
	// zk: create "/b": quota exceeded
}

// A read waits at the server while the test does something else.
func ExampleHoldUntil() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	slow, quick, ctx := connectTo(t, srv), connectTo(t, srv), context.Background()
	release := make(chan struct{})
	held := srv.Inject(zktest.Once(zktest.Match{Path: "/a"}, zktest.HoldUntil(release)))

	exists := make(chan bool)
	go func() {
		_, ok, _ := slow.Exists(ctx, "/a")
		exists <- ok
	}()
	<-held.Happened(1)
	_, err := quick.Create(ctx, "/a", nil, zk.ModePersistent, nil)
	close(release)
	fmt.Println(err, <-exists)
	// Output: <nil> true
}

// The answer takes as long as the clock says.
func ExampleDelay() {
	t := new(exampleTB)
	defer t.end()
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{Clock: clock, MaxSessionTimeout: time.Minute})
	client, ctx := connectTo(t, srv), context.Background()
	delayed := srv.Inject(zktest.Once(zktest.Match{Path: "/a"}, zktest.Delay(2*time.Second)))

	answered := make(chan error)
	go func() {
		_, err := client.Create(ctx, "/a", nil, zk.ModePersistent, nil)
		answered <- err
	}()
	<-delayed.Happened(1)
	clock.Turn(2 * time.Second)
	fmt.Println(<-answered)
	// Output: <nil>
}

// A session ends without anybody waiting for it.
func ExampleClock() {
	t := new(exampleTB)
	defer t.end()
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{Clock: clock, MaxSessionTimeout: 10 * time.Second})
	client, ctx := connectTo(t, srv), context.Background()
	if _, err := client.Create(ctx, "/server", nil, zk.ModeEphemeral, nil); err != nil {
		t.Fatal(err)
	}

	clock.Turn(10 * time.Second)
	fmt.Println(len(srv.Sessions()), "session")
	clock.Turn(time.Minute)
	_, ok, err := connectTo(t, srv).Exists(ctx, "/server")
	fmt.Println("a minute later:", ok, err)
	// Output:
	// 1 session
	// a minute later: false <nil>
}

// Clients are turned away until the test lets them in.
func ExampleServer_Refuse() {
	t := new(exampleTB)
	defer t.end()
	srv := startServer(t)
	admit := srv.Refuse()
	client := connectTo(t, srv)
	fmt.Println(client.Session().State)
	admit()
	fmt.Println(client.Connected(context.Background()))
	// Output:
	// connecting
	// <nil>
}
