// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
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
	defer func() { _ = client.Close() }()

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
