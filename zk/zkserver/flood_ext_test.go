// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

const (
	floodClients = 200
	floodTime    = 5 * time.Second
	// floodHeap is what the greatest budget, its slack and the clients of the flood
	// may take together.
	floodHeap = 1 << 30
)

// A flood is what one hostile client does over and over: it uses a connection
// until the server closes it.
type flood struct {
	name    string
	clients int
	attack  func(nc net.Conn) error // behind the handshake, if there is one
	shakes  bool
}

// endless writes the same bytes until the connection ends.
func endless(frames []byte, reads bool) func(net.Conn) error {
	return func(nc net.Conn) error {
		if reads {
			go func() { io.Copy(io.Discard, nc) }() //nolint:errcheck // it ends when the connection does
		}
		for {
			if _, err := nc.Write(frames); err != nil {
				return err
			}
		}
	}
}

// once writes bytes and then holds the connection for a while.
func once(frames []byte) func(net.Conn) error {
	return func(nc net.Conn) error {
		_, err := nc.Write(frames)
		if err == nil {
			<-time.After(3 * time.Second)
		}
		return err
	}
}

func repeat(n int, frame []byte) []byte {
	var b []byte
	for range n {
		b = append(b, frame...)
	}
	return b
}

func floods() []flood {
	get := request(1, jute.OpGetData, &jute.PathWatchRequest{Path: "/n"})
	set := request(1, jute.OpSetData, &jute.SetDataRequest{Path: "/n", Data: make([]byte, 128), Version: -1})
	big := request(1, jute.OpGetData, &jute.PathWatchRequest{Path: "/big"})
	great := newNode("/great", 0)
	great.Data = make([]byte, 1<<20-100)
	half := request(1, jute.OpCreate, great)[:1000<<10]
	return []flood{
		{"nobody", 0, nil, false},
		{"half-open, 2 bytes and silence", 10 * floodClients, once([]byte{0, 0}), false},
		{"slow readers, 64 replies of 512 KiB", floodClients, once(repeat(64, big)), true},
		{"unfinished requests of 1 MiB", floodClients, once(half), true},
		{"pipelined writes, replies read", floodClients, endless(repeat(500, set), true), true},
		{"pipelined writes, never read", floodClients, endless(repeat(500, set), false), true},
		{"pipelined reads, replies read", floodClients, endless(repeat(500, get), true), true},
		{"watches without end", floodClients, watchFlood, true},
	}
}

var watchSerial atomic.Int64

// watchFlood leaves watches on paths of 1000 bytes.
func watchFlood(nc net.Conn) error {
	go func() { io.Copy(io.Discard, nc) }() //nolint:errcheck // it ends when the connection does
	for {
		var b []byte
		for range 50 {
			path := fmt.Sprintf("/%01000d", watchSerial.Add(1))
			b = append(b, request(1, jute.OpExists, &jute.PathWatchRequest{Path: path, Watch: true})...)
		}
		if _, err := nc.Write(b); err != nil {
			return err
		}
	}
}

// floodVariable names the flood that a process is, and the server's address.
const floodVariable = "ROLLCALL_TEST_FLOOD"

// TestFloodProcess is the process of a flood. It ends with its standard input.
func TestFloodProcess(t *testing.T) {
	name, addr, ok := strings.Cut(os.Getenv(floodVariable), "@")
	if !ok {
		t.Skip("it is part of TestLongFlood")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for _, f := range floods() {
		if f.name != name {
			continue
		}
		for range f.clients {
			clients.Go(func() {
				for ctx.Err() == nil {
					f.once(ctx, addr)
				}
			})
		}
	}
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // its end is waited for
	cancel()
	clients.Wait()
}

// start floods from a process of its own until stop is called.
func (f *flood) start(t *testing.T, addr string) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFloodProcess$")
	cmd.Env = append(os.Environ(), floodVariable+"="+f.name+"@"+addr)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		stdin.Close()
		cmd.Wait() //nolint:errcheck // how it ends does not matter
	}
}

// once uses one connection until it or ctx ends.
func (f *flood) once(ctx context.Context, addr string) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if f.shakes {
		if _, err := nc.Write(connectFrame(jute.ConnectRequest{TimeoutMillis: 10000})); err != nil {
			return
		}
		if _, err := io.ReadFull(nc, make([]byte, 40)); err != nil {
			return
		}
	}
	f.attack(nc) //nolint:errcheck // it ends when the server closes the connection
}

// A usage is what the process takes, at its greatest.
type usage struct {
	heap       uint64 // in use, stacks included
	goroutines int
}

// watchUsage samples until stop is called.
func watchUsage() (stop func() usage) {
	var u usage
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			u.heap = max(u.heap, m.HeapInuse+m.StackInuse)
			u.goroutines = max(u.goroutines, runtime.NumGoroutine())
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() usage {
		close(end)
		<-ended
		return u
	}
}

// measure times a request every 5 ms or so for d, reads and writes in turn.
func measure(c *rawConn, d time.Duration) []time.Duration {
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < d; {
		at := time.Now()
		if len(took)%2 == 0 {
			c.stat("/n")
		} else {
			c.must(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1}, nil)
		}
		took = append(took, time.Since(at))
		<-time.After(5 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}

// TestLongFlood floods a server with default options in every way there is, and
// prints what that costs a client that behaves, and the memory. Server and client
// share a process, and the processors with that of the flood.
func TestLongFlood(t *testing.T) {
	realtest.Long(t)
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) { f.test(t) })
	}
}

func (f *flood) test(t *testing.T) {
	t.Helper()
	_, addr := startServer(t, zkserver.Options{})
	good := open(t, addr, 30*time.Second)
	good.create("/n", 0)
	node := newNode("/big", 0)
	node.Data = make([]byte, 512<<10)
	good.must(jute.OpCreate, node, nil)
	calm := f.start(t, addr)
	stop := watchUsage()
	took := measure(good, floodTime)
	var connects []time.Duration
	for range 20 {
		at := time.Now()
		c := open(t, addr, 30*time.Second)
		connects = append(connects, time.Since(at))
		c.must(jute.OpCloseSession, &jute.Empty{}, nil)
		c.nc.Close()
	}
	slices.Sort(connects)
	u := stop()
	calm()
	if u.heap > floodHeap {
		t.Errorf("the heap has grown to %d MB, want at most %d", u.heap>>20, floodHeap>>20)
	}
	t.Logf("request p50 %v, p99 %v, max %v; connect p50 %v, max %v; heap %d MB, %d goroutines",
		short(took[len(took)/2]), short(took[len(took)*99/100]), short(took[len(took)-1]),
		short(connects[len(connects)/2]), short(connects[len(connects)-1]), u.heap>>20, u.goroutines)
}

func short(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
