// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// networkVar is the environment variable that says on which network the servers and
// clients of these tests meet: "tcp", which is also what it is without it, "mtls" for
// mutual TLS over that, and "memory".
const networkVar = "ROLLCALL_TEST_NETWORK"

// meeting is the network of this run.
var meeting = newNetwork(os.Getenv(networkVar))

// A testNetwork is what start, newClient and clientAt bring servers and clients
// together on. What a test sets itself in its options stays.
type testNetwork struct {
	name   string
	trust  *trust          // nil: clear text
	memory *memnet.Network // nil: TCP on loopback
	ports  atomic.Int32    // given out in memory
	used   sync.Map        // the names of the tests that met on it
}

func newNetwork(name string) *testNetwork {
	n := &testNetwork{name: name}
	switch name {
	case "":
		n.name = "tcp"
	case "tcp":
	case "mtls":
		n.trust = new(newTrust("all"))
	case "memory":
		n.memory = new(memnet.Network)
	default:
		panic(fmt.Sprintf("%s=%q: write tcp, mtls or memory", networkVar, name))
	}
	return n
}

// only skips the test in runs on networks of other names.
func only(t testing.TB, reason string, names ...string) {
	t.Helper()
	if !slices.Contains(names, meeting.name) {
		t.Skipf("not over %s: %s", meeting.name, reason)
	}
}

// listen listens on addr, "127.0.0.1:0" for any port.
func (n *testNetwork) listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	n.used.Store(name, true)
	if n.memory == nil {
		return must(net.Listen("tcp", addr))
	}
	if host, port, _ := net.SplitHostPort(addr); port == "0" {
		addr = net.JoinHostPort(host, strconv.Itoa(int(n.ports.Add(1))))
	}
	return must(n.memory.Listen(addr))
}

// server returns the options of a server on l.
func (n *testNetwork) server(opts rollcall.ServerOptions, l net.Listener) rollcall.ServerOptions {
	if opts.TLS == nil && n.trust != nil {
		opts.TLS = n.trust.server
	}
	if opts.Advertise == "" && n.memory != nil {
		opts.Advertise = l.Addr().String()
	}
	return opts
}

// client returns the options of a client.
func (n *testNetwork) client(opts rollcall.ClientOptions) rollcall.ClientOptions {
	if opts.TLS == nil && n.trust != nil {
		opts.TLS = n.trust.client
	}
	if opts.Dial == nil && n.memory != nil {
		opts.Dial = n.memory.Dial
	}
	return opts
}

// dial connects to a server as clients do, but without a client.
func (n *testNetwork) dial(t testing.TB, addr string) (rawConn, error) {
	t.Helper()
	ctx := within(t)
	if n.memory != nil {
		conn, err := n.memory.Dial(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return conn.(*memnet.Conn), nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if n.trust == nil {
		return conn.(*net.TCPConn), nil
	}
	config := n.trust.client.Clone()
	config.ServerName = "rollcall.test"
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// TestMain tells how many tests met on a network that is not the usual one.
func TestMain(m *testing.M) {
	code := m.Run()
	if meeting.name != "tcp" {
		tests := 0
		meeting.used.Range(func(any, any) bool { tests++; return true })
		fmt.Printf("%d tests met over %s\n", tests, meeting.name)
	}
	os.Exit(code)
}

// The tests of servers and clients pass on every network: this test runs this very
// program again, with each of the networks that it does not run on itself.
func TestModes(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs all tests again")
	}
	only(t, "it begins the runs over the others", "tcp")
	const least = 60 // fewer tests than that have not met
	met := regexp.MustCompile(`(?m)^(\d+) tests met over `)
	for _, name := range []string{"memory", "mtls"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // with the other
			cmd := exec.CommandContext(context.Background(), must(os.Executable()), "-test.run=^Test", "-test.shuffle=on", "-test.timeout=5m")
			cmd.Env = append(os.Environ(), networkVar+"="+name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			found := met.FindSubmatch(out)
			if found == nil {
				t.Fatalf("it does not say how many tests met:\n%s", out)
			}
			if tests := must(strconv.Atoi(string(found[1]))); tests < least {
				t.Errorf("%d tests met, want %d at least: who calls only, or start no more?", tests, least)
			}
		})
	}
}
