// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// A neighbour is a server of a format of lines, one for a request and one for its
// answer, which are the same. What it does is for the test to say.
type neighbour struct {
	net.Listener
	idle    time.Duration // after which it closes a connection; 0: never
	answers int           // after so many as well; 0: never

	// answer is called for the nth request of a connection, each on a goroutine of
	// its own, and says what is written; behind what is no whole line the connection
	// is closed. Nil: the request.
	answer func(request string, n int) string

	path time.Duration // how long a dial takes

	tried    atomic.Int64 // dials
	dialled  atomic.Int64 // those that were accepted
	open     atomic.Int64 // those that stand
	most     atomic.Int64 // of them at once
	requests atomic.Int64
}

// serve accepts connections until the listener is closed.
func (n *neighbour) serve() {
	for {
		conn, err := n.Accept()
		if err != nil {
			return
		}
		n.dialled.Add(1)
		n.most.Store(max(n.most.Load(), n.open.Add(1)))
		go n.converse(conn)
	}
}

func (n *neighbour) converse(conn net.Conn) {
	var answers sync.WaitGroup
	defer n.open.Add(-1)
	defer answers.Wait()
	defer conn.Close()
	var mu sync.Mutex // of what is written
	in := bufio.NewReader(conn)
	for i := 1; ; i++ {
		if n.idle > 0 {
			conn.SetReadDeadline(time.Now().Add(n.idle)) //nolint:errcheck // the read tells
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		n.requests.Add(1)
		answers.Go(func() {
			if n.answer != nil {
				line = n.answer(line, i)
			}
			mu.Lock()
			defer mu.Unlock()
			io.WriteString(conn, line) //nolint:errcheck // the client tells
			if !strings.HasSuffix(line, "\n") || i == n.answers {
				conn.Close()
			}
		})
	}
}

// A lineCaller makes one call at a time of a neighbour.
type lineCaller struct {
	net.Conn
	in *bufio.Reader
}

func (c *lineCaller) Call(ctx context.Context, r rollcall.Request) (rollcall.Reply, error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // the read tells
	defer stop()
	if _, err := io.WriteString(c, r.Method+"\n"); err != nil {
		return rollcall.Reply{}, fmt.Errorf("write: %w", err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return rollcall.Reply{}, fmt.Errorf("read: %w", err)
	}
	return rollcall.Reply{Body: []byte(strings.TrimSpace(line))}, nil
}

// A manyCaller makes many calls at a time of a neighbour, each with a method of its
// own.
type manyCaller struct {
	net.Conn

	mu      sync.Mutex // guards what follows, and what is written
	waiting map[string]chan struct{}
	ended   chan struct{} // closed when nothing can be read any more
}

func newManyCaller(conn net.Conn) *manyCaller {
	c := &manyCaller{Conn: conn, waiting: make(map[string]chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for in := bufio.NewReader(conn); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			c.mu.Lock()
			if answered := c.waiting[strings.TrimSpace(line)]; answered != nil {
				close(answered)
			}
			c.mu.Unlock()
		}
	}()
	return c
}

func (c *manyCaller) Call(ctx context.Context, r rollcall.Request) (rollcall.Reply, error) {
	answered := make(chan struct{})
	c.mu.Lock()
	c.waiting[r.Method] = answered
	_, err := io.WriteString(c, r.Method+"\n")
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, r.Method)
	}()
	if err != nil {
		return rollcall.Reply{}, err
	}
	select {
	case <-answered:
		return rollcall.Reply{Body: []byte(r.Method)}, nil
	case <-c.ended:
		return rollcall.Reply{}, io.ErrUnexpectedEOF
	case <-ctx.Done():
		return rollcall.Reply{}, ctx.Err()
	}
}

// answersFirst answers the first n requests of a connection, and another one with
// what is given, behind which the connection ends.
func answersFirst(n int, rest string) func(string, int) string {
	return func(request string, i int) string {
		if i <= n {
			return request
		}
		return rest
	}
}

// A neighbourhood is a neighbour in memory, in a synctest bubble, and a client of it.
type neighbourhood struct {
	*neighbour
	*rollcall.Client
	list  *discovery.Memory
	close func()
}

// inMemory starts n and a client that speaks to it as d says, with a Caller that
// fits.
func inMemory(t *testing.T, n *neighbour, d rollcall.Dialect) *neighbourhood {
	t.Helper()
	l := memnet.Listen("h:1")
	n.Listener = l
	in := slowInstance
	in.Protocols = []string{"lines"}
	h := &neighbourhood{neighbour: n, list: listOf(in)}
	go n.serve()
	h.Client = lineClient(t, h.list, d, rollcall.ClientOptions{
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			n.tried.Add(1)
			if n.path > 0 { // else many timers would end at once, over which the race runtime has crashed
				<-time.After(n.path)
			}
			return l.Dial(ctx)
		},
	})
	h.close = func() {
		h.Close()
		l.Close()
	}
	return h
}

// lineClient returns a client that speaks to neighbours as d says.
func lineClient(t *testing.T, list discovery.Resolver, d rollcall.Dialect, opts rollcall.ClientOptions) *rollcall.Client {
	t.Helper()
	d.Protocol = "lines"
	d.Dial = func(_ context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
		if d.CallsPerConnection > 1 {
			return newManyCaller(conn), nil
		}
		return &lineCaller{conn, bufio.NewReader(conn)}, nil
	}
	opts.Resolver, opts.Dialects = list, []rollcall.Dialect{d}
	c, err := rollcall.NewClient("memory", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// call makes one call and returns its error.
func (h *neighbourhood) call(ctx context.Context, method string, opts rollcall.CallOptions) error {
	_, err := h.Invoke(ctx, method, nil, opts)
	return err
}

// wantUsable demands that nothing is held against the neighbour.
func (h *neighbourhood) wantUsable(t *testing.T, usable bool) {
	t.Helper()
	if counts := h.Snapshot().Counts; (counts.Usable == 1) != usable {
		t.Errorf("the client sees %v, want usable: %t", counts, usable)
	}
}
