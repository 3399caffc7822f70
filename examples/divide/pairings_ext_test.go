// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// registries are the kinds of ZooKeeper that the programs meet at.
var registries = []struct {
	name  string
	start func(testing.TB) (addr string)
}{
	{"embedded", func(t testing.TB) string { return zktest.Start(t).Addr() }},
	{"apache", func(t testing.TB) string { return realtest.Apache(t).Addr() }},
}

// The programs by language.
var (
	serverStarters = map[string]func(t testing.TB, zookeeper string) *serverProcess{
		"go":     func(t testing.TB, zookeeper string) *serverProcess { return startGoServer(t, zookeeper) },
		"python": startPythonServer,
	}
	clientStarters = map[string]func(t testing.TB, zookeeper string, flags ...string) *process{
		"go":     startGoClient,
		"python": startPythonClient,
	}
	zeroFlags = map[string]string{"go": "-zero", "python": "--zero"}
	idleFlags = map[string]string{"go": "-interval=10ms", "python": "--interval=0.01"}
)

// TestPairings lets each client call each server, and lists of both kinds.
func TestPairings(t *testing.T) {
	for _, registry := range registries {
		t.Run(registry.name, func(t *testing.T) {
			zookeeper := registry.start(t)
			for _, languages := range [][]string{{"go"}, {"python"}, {"go", "python"}} {
				t.Run(fmt.Sprint(languages), func(t *testing.T) {
					var servers []*serverProcess
					for _, language := range languages {
						servers = append(servers, serverStarters[language](t, zookeeper))
					}
					for language := range clientStarters {
						t.Run(language+" client", func(t *testing.T) { testPairing(t, zookeeper, language, servers) })
					}
					for _, s := range servers {
						s.terminate()
						if status := s.wait(t); status != 0 {
							t.Errorf("%s exits with %d after SIGTERM, want 0", s.addr, status)
						}
					}
				})
			}
		})
	}
}

// testPairing makes calls and expects that every server answers some of them.
func testPairing(t *testing.T, zookeeper, language string, servers []*serverProcess) {
	const calls = 40 // at random, one of two servers stays out once in 2³⁹ runs
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.addr)
	}
	idle := idleFlags[language]
	client := clientStarters[language](t, zookeeper, "-n", strconv.Itoa(calls), idle)
	if status := client.wait(t); status != 0 {
		t.Errorf("the client exits with %d, want 0", status)
	}
	lines := client.printed()
	if len(lines) != calls {
		t.Fatalf("%d lines, want %d", len(lines), calls)
	}
	answered := make(map[string]int)
	for i, line := range lines {
		addr, value := answer(line)
		answered[addr]++
		if !slices.Contains(addrs, addr) || value != strconv.Itoa(i) {
			t.Errorf("line %d = %q, want one of %v and %d", i, line, addrs, i)
		}
	}
	if len(answered) != len(servers) {
		t.Errorf("answers by server: %v, want some of each of %v", answered, addrs)
	}

	client = clientStarters[language](t, zookeeper, "-n", "3", idle, zeroFlags[language])
	if status := client.wait(t); status != 0 {
		t.Errorf("the client of divide(1, 0) exits with %d, want 0", status)
	}
	for i, line := range client.awaitLines(t, 3) {
		if addr, text := answer(line); !slices.Contains(addrs, addr) || text != "error: invalid operation" {
			t.Errorf("line %d of divide(1, 0) = %q, want one of %v and the error", i, line, addrs)
		}
	}
}

// TestKilledServer ends one of two servers without a word: no call fails, and
// the other server answers the rest.
func TestKilledServer(t *testing.T) {
	zookeeper := zktest.Start(t).Addr()
	for _, killed := range []string{"go", "python"} {
		for client := range clientStarters {
			t.Run(killed+" server, "+client+" client", func(t *testing.T) {
				testKilledServer(t, zookeeper, killed, client)
			})
		}
	}
}

func testKilledServer(t *testing.T, zookeeper, killed, client string) {
	servers := make(map[string]*serverProcess)
	for language, start := range serverStarters {
		servers[language] = start(t, zookeeper)
	}
	victim := servers[killed]
	calls := clientStarters[client](t, zookeeper, "-n", "0", idleFlags[client])
	calls.awaitLine(t, 0, func(line string) bool { addr, _ := answer(line); return addr == victim.addr })
	victim.kill()
	lines := calls.awaitLines(t, len(calls.printed())+50)
	calls.interrupt()
	if status := calls.wait(t); status != 0 {
		t.Errorf("the client exits with %d, want 0", status)
	}
	for i, line := range lines {
		addr, value := answer(line)
		if value != strconv.Itoa(i) {
			t.Errorf("line %d = %q, want the value %d", i, line, i)
		}
		// Lines from before the end may still have been on their way.
		if i >= len(lines)-10 && addr == victim.addr {
			t.Errorf("line %d of %d = %q comes from the killed server", i, len(lines), line)
		}
	}
	for _, s := range servers {
		s.kill()
	}
}

// TestClientBeforeServers starts clients on an empty list: their first call
// waits for the first server.
func TestClientBeforeServers(t *testing.T) {
	for language, start := range clientStarters {
		t.Run(language, func(t *testing.T) {
			zookeeper := zktest.Start(t).Addr()
			client := start(t, zookeeper, "-n", "1")
			server := startGoServer(t, zookeeper)
			if line, want := client.awaitLines(t, 1)[0], server.addr+" 0"; line != want {
				t.Errorf("line %q, want %q", line, want)
			}
			if status := client.wait(t); status != 0 {
				t.Errorf("the client exits with %d, want 0", status)
			}
		})
	}
}

// TestServerWithoutRegistry starts a server whose registry comes later, and ends
// another that never saw one.
func TestServerWithoutRegistry(t *testing.T) {
	registry := zktest.Start(t)
	registry.Stop()
	target := registry.Target("/rpc")
	server := startProcess(t, program(t, "server"), "-registry", target, "127.0.0.1", "0")
	addr := server.await(t, "serving on ")
	exchange(t, dial(t, addr), six, sixAnswer)
	registry.Restart()
	if got, want := server.await(t, "registered as "), "/rpc/server0000000000"; got != want {
		t.Errorf("registered as %s, want %s", got, want)
	}

	registry.Stop()
	lost := startProcess(t, program(t, "server"), "-registry", target, "-drain-delay", "0s", "127.0.0.1", "0")
	lost.await(t, "serving on ")
	for _, s := range []*process{server, lost} {
		s.terminate()
		if status := s.wait(t); status != 0 {
			t.Errorf("exit status %d after SIGTERM without a registry, want 0", status)
		}
	}
}
