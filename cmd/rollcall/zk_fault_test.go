// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// What becomes of a request.
type fate int

const (
	forwarded fate = iota + 1
	swallowed      // never answered
	unknown        // answered as a server does that does not know the operation
	cut            // the connection is closed instead
)

// between listens between clients and a server and decides the fate of every
// request. The function is called before the request goes on.
func between(t *testing.T, server string, decide func(jute.OpCode) fate) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var links sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		links.Wait()
	})
	links.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			links.Go(func() {
				io.Copy(client, far) //nolint:errcheck // one of them has enough
				client.Close()
			})
			links.Go(func() {
				defer far.Close()
				carry(far, client, decide)
			})
		}
	})
	return listener.Addr().String()
}

// carry passes requests on until the connection ends: each is its length, and,
// but for the handshake, the xid and the operation.
func carry(far, client net.Conn, decide func(jute.OpCode) fate) {
	for first := true; ; first = false {
		head := make([]byte, 4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		what := forwarded
		if !first {
			what = decide(jute.OpCode(binary.BigEndian.Uint32(body[4:])))
		}
		switch what {
		case forwarded:
			far.Write(slices.Concat(head, body)) //nolint:errcheck // the next read tells
		case unknown: // the length, the xid, the zxid, the code
			answer := append([]byte{0, 0, 0, 16}, body[:4]...)
			answer = append(answer, make([]byte, 8)...)
			code := jute.ErrUnimplemented
			client.Write(binary.BigEndian.AppendUint32(answer, uint32(code))) //nolint:errcheck // the next read tells
		case swallowed:
		case cut:
			return
		}
	}
}

// only gives one operation a fate.
func only(op jute.OpCode, f fate) func(jute.OpCode) fate {
	return func(got jute.OpCode) fate {
		if got == op {
			return f
		}
		return forwarded
	}
}

func TestZKFaults(t *testing.T) {
	registry := zktest.Start(t)
	create(t, dial(t, registry.Addr()), "/x", nil, nil)
	const maybe = "; it may have been done: look before you do it again\n"
	for _, tt := range []struct {
		name string
		op   jute.OpCode
		fate fate
		args []string
		want string
	}{
		{"server before 3.6", jute.OpAddWatch, unknown, []string{"watch", "/x"}, "rollcall: /x: the registry does not know persistent watches: that takes ZooKeeper 3.6 or later\n"},
		{"read without answer", jute.OpGetData, swallowed, []string{"get", "/x", "--timeout", "100ms"}, "did not answer within 100ms\n"},
		{"write without answer", jute.OpSetData, swallowed, []string{"set", "/x", "y", "--timeout", "100ms"}, "did not answer within 100ms" + maybe},
		{"write and a cut", jute.OpSetData, cut, []string{"set", "/x", "y"}, "rollcall: /x: the connection was lost before the answer came" + maybe},
		{"removal and a cut", jute.OpMulti, cut, []string{"rm", "-R", "/x"}, "the connection was lost before the answer came" + maybe},
		{"list and a cut", jute.OpExists, cut, []string{"ls", "-l", "/"}, "the connection was lost before the answer came\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(environmentTarget, "zk://"+between(t, registry.Addr(), only(tt.op, tt.fate))+"/rpc")
			got := command(t, append([]string{"zk"}, tt.args...)...)
			got.check(t, statusFailure, nil, []string{tt.want})
			if got.stdout != "" {
				t.Errorf("stdout %q, want nothing", got.stdout)
			}
		})
	}
}

// Others may add nodes and remove them while a tree is removed: it is looked at
// again, but not for ever.
func TestZKRemoveWhileOthersChange(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes int // removals before which somebody adds a node
		status  int
		stderr  string
	}{
		{"for a while", removeRounds - 1, statusOK, fmt.Sprintf("removed %d nodes\n", removeRounds+1)},
		{"without end", removeRounds, statusFailure, "rollcall: /x: others change what is below it: removed 0 nodes in 5 rounds, try again\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			registry := zktest.Start(t)
			client := dial(t, registry.Addr())
			create(t, client, "/x", nil, nil)
			create(t, client, "/x/a", nil, nil)
			n := 0
			addr := between(t, registry.Addr(), func(op jute.OpCode) fate {
				if op == jute.OpMulti && n < tt.changes {
					n++
					if _, err := client.Create(t.Context(), fmt.Sprintf("/x/new%d", n), nil, zk.ModePersistent, nil); err != nil {
						t.Error(err)
					}
				}
				return forwarded
			})
			got := command(t, "zk", "rm", "-R", "zk://"+addr+"/x")
			if got.status != tt.status || got.stderr != tt.stderr {
				t.Errorf("exit status %d, %q, want %d, %q", got.status, got.stderr, tt.status, tt.stderr)
			}
		})
	}

	t.Run("to the end", func(t *testing.T) {
		registry := zktest.Start(t)
		client := dial(t, registry.Addr())
		create(t, client, "/x", nil, nil)
		addr := between(t, registry.Addr(), func(op jute.OpCode) fate {
			if op == jute.OpMulti {
				if err := client.Delete(t.Context(), "/x", zk.AnyVersion); err != nil {
					t.Error(err)
				}
			}
			return forwarded
		})
		command(t, "zk", "rm", "-R", "zk://"+addr+"/x").check(t, statusOK, nil, []string{"removed 0 nodes\n"})
	})
}

// A node that appears between the look and the removal is not lost sight of.
func TestZKRemoveNodes(t *testing.T) {
	client := dial(t, zktest.Start(t).Addr())
	create(t, client, "/x", nil, nil)
	create(t, client, "/x/new", nil, nil)
	var stderr bytes.Buffer
	z := &znodeCommand{timeout: span{d: time.Minute}, path: "/x", client: client, stderr: &stderr}
	if n, err := z.removeNodes(t.Context(), nil); n != 0 || !errors.Is(err, zk.ErrNotEmpty) {
		t.Errorf("without the new node: %d, %v", n, err)
	}
	if n, err := z.removeNodes(t.Context(), []znode{{path: "/x/new"}, {path: "/x/old"}}); n != 0 || !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("with one that is gone: %d, %v", n, err)
	}
	if err := z.removeAll(t.Context()); err != nil || stderr.String() != "removed 2 nodes\n" {
		t.Errorf("%v, %q", err, &stderr)
	}
}

// Long paths fill a request before many nodes do.
func TestZKRemoveLongPaths(t *testing.T) {
	registry := zktest.Start(t)
	client := dial(t, registry.Addr())
	create(t, client, "/x", nil, nil)
	const nodes = 9 // of removeBytes/4 each
	for i := range nodes {
		create(t, client, fmt.Sprintf("/x/%d%s", i, strings.Repeat("n", removeBytes/4)), nil, nil)
	}
	command(t, "zk", "rm", "-R", registry.Target("/x")).check(t, statusOK, nil, []string{"removed 10 nodes"})
}
