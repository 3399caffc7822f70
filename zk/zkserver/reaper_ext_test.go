// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// inBubbleWith is inBubble with options.
func inBubbleWith(t *testing.T, opts zkserver.Options, f func(t *testing.T, l *pipeListener)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		l := newPipeListener()
		done := make(chan error, 1)
		go func() { done <- s.Serve(t.Context(), l) }()
		f(t, l)
		s.Close()
		<-done //nolint:errcheck // what comes of it is looked at elsewhere
	})
}

// usedContainer makes a container that has had a child.
func (c *rawConn) usedContainer(path string) {
	c.t.Helper()
	c.must(jute.OpCreateContainer, newNode(path, 4), nil)
	c.create(path+"/x", 0)
	c.must(jute.OpDelete, &jute.PathVersionRequest{Path: path + "/x", Version: -1}, nil)
}

// Containers and times to live end when they are looked over, once a minute.
func TestReaper(t *testing.T) {
	inBubbleWith(t, zkserver.Options{ExtendedTypes: true, ContainerMaxNeverUsed: 90 * time.Second}, func(t *testing.T, l *pipeListener) {
		c := l.open(t, time.Hour)
		ttl := func(path string, d time.Duration) {
			c.must(jute.OpCreateTTL, &jute.CreateTTLRequest{CreateRequest: *newNode(path, 5), TTLMillis: d.Milliseconds()}, nil)
		}
		c.usedContainer("/used")
		c.must(jute.OpCreateContainer, newNode("/never", 4), nil)
		ttl("/short", 30*time.Second)
		ttl("/long", 100*time.Second)
		want := func(after time.Duration, paths ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			for _, path := range []string{"/used", "/never", "/short", "/long"} {
				if got, want := c.exists(path), strings.Contains(strings.Join(paths, " "), path); got != want {
					t.Errorf("%s exists: got %t, want %t", path, got, want)
				}
			}
		}
		for range 20 { // pings
			time.Sleep(time.Second)
			ping(c)
		}
		want(30*time.Second, "/used", "/never", "/short", "/long")
		want(20*time.Second, "/never", "/long")
		want(30*time.Second, "/never", "/long")
		want(30 * time.Second)
	})
}

// No more are removed per minute than the limit says; the rest waits.
func TestReaperIsLimited(t *testing.T) {
	opts := zkserver.Options{ContainerCheckInterval: 10 * time.Second, ContainerMaxPerMinute: 12}
	inBubbleWith(t, opts, func(t *testing.T, l *pipeListener) {
		c := l.open(t, time.Hour)
		for i := range 5 {
			c.usedContainer(fmt.Sprintf("/c%d", i))
		}
		count := func() int32 {
			var r jute.GetAllChildrenNumberResponse
			c.must(jute.OpGetAllChildrenNumber, &jute.Path{Path: "/"}, &r)
			return r.Total - 3 // those that every tree has
		}
		for _, want := range []int32{3, 1, 0} {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := count(); got != want {
				t.Errorf("got %d containers, want %d", got, want)
			}
		}
	})
}

// Where looking is switched off nothing is removed.
func TestReaperOff(t *testing.T) {
	inBubbleWith(t, zkserver.Options{ContainerCheckInterval: -1}, func(t *testing.T, l *pipeListener) {
		c := l.open(t, time.Hour)
		c.usedContainer("/c")
		for range 100 {
			time.Sleep(10 * time.Second)
			ping(c)
		}
		if !c.exists("/c") {
			t.Error("the container is gone, want it to stay")
		}
	})
}

// What goes beyond a quota is in the log, once a minute.
func TestQuotaWarning(t *testing.T) {
	var log bytes.Buffer
	opts := zkserver.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	inBubbleWith(t, opts, func(t *testing.T, l *pipeListener) {
		c := l.open(t, time.Hour)
		c.create("/a", 0)
		for _, path := range []string{"", "/zookeeper_limits", "/zookeeper_stats"} {
			node := newNode("/zookeeper/quota/a"+path, 0)
			node.Data = []byte("count=2,bytes=-1")
			c.must(jute.OpCreate, node, nil)
		}
		const line = `level=WARN msg="quota exceeded: raise the limit or remove nodes" path=/a of=count value=`
		for i, want := range []int{0, 1, 1, 2} {
			if i == 3 {
				for range 7 {
					time.Sleep(10 * time.Second)
					ping(c)
				}
			}
			c.create(fmt.Sprintf("/a/%d", i), 0)
			synctest.Wait()
			if got := strings.Count(log.String(), line); got != want {
				t.Errorf("after %d nodes: got %d warnings, want %d:\n%s", i+1, got, want, log.String())
			}
		}
	})
}

// The answer of a multiRead is bounded: a small request could ask for a great
// node many times.
func TestMultiReadIsBounded(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, 10*time.Second)
	node := newNode("/big", 0)
	node.Data = make([]byte, 1<<19)
	c.must(jute.OpCreate, node, nil)
	read := func(n int) *jute.MultiReadRequest {
		r := &jute.MultiReadRequest{}
		for range n {
			r.Ops = append(r.Ops, jute.MultiReadOp{Op: jute.OpGetData, Request: jute.PathWatchRequest{Path: "/big"}})
		}
		return r
	}
	var resp jute.MultiReadResponse
	c.must(jute.OpMultiRead, read(30), &resp)
	if got := len(resp.Results); got != 30 {
		t.Errorf("got %d results, want 30", got)
	}
	c.fails(jute.ErrMarshalling, jute.OpMultiRead, read(40))
	c.must(jute.OpMultiRead, read(1), &resp)
}
