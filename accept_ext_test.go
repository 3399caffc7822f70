// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// An ownWords is a listener that says in its own words that it was closed, and
// fails as often as it is told before that.
type ownWords struct {
	net.Listener
	failures chan error
	closed   chan struct{}
	once     sync.Once
}

func (o *ownWords) Accept() (net.Conn, error) {
	select {
	case err := <-o.failures:
		return nil, err
	case <-o.closed:
		return nil, errors.New("the muxer was closed")
	}
}

func (o *ownWords) Close() error {
	o.once.Do(func() { close(o.closed) })
	return o.Listener.Close()
}

func listenInOwnWords(t *testing.T, failures ...error) *ownWords {
	t.Helper()
	var network memnet.Network
	l, err := network.Listen("server:1")
	if err != nil {
		t.Fatal(err)
	}
	o := &ownWords{Listener: l, failures: make(chan error, len(failures)), closed: make(chan struct{})}
	for _, f := range failures {
		o.failures <- f
	}
	return o
}

// A listener that says in words of its own that it was closed ends a drain and a
// Close as any other.
func TestListenerInItsOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(*rollcall.Server, context.CancelFunc){
			func(_ *rollcall.Server, drain context.CancelFunc) { drain() },
			func(s *rollcall.Server, _ context.CancelFunc) { s.Close() },
		} {
			s := rollcall.NewServer(rollcall.ServerOptions{})
			ctx, drain := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- s.Serve(ctx, listenInOwnWords(t)) }()
			synctest.Wait()
			end(s, drain)
			drain()
			if err := <-served; err != nil && !errors.Is(err, rollcall.ErrServerClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// What passes is waited out; a listener that breaks ends Serve, and the entry with
// it.
func TestListenerBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the device is gone")
		var registry discovery.Memory
		s := rollcall.NewServer(rollcall.ServerOptions{Registrar: &registry, Advertise: "server:1", ID: "a"})
		served := make(chan error, 1)
		begun := time.Now()
		go func() {
			served <- s.Serve(t.Context(), listenInOwnWords(t,
				&net.OpError{Op: "accept", Err: syscall.EMFILE}, &net.OpError{Op: "accept", Err: syscall.ECONNABORTED}, broken))
		}()
		if err := <-served; !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
		if time.Since(begun) == 0 {
			t.Error("what passes was not waited out")
		}
		var list discovery.Update
		ctx, stop := context.WithCancel(t.Context())
		registry.Watch(ctx, func(u discovery.Update) { list = u; stop() }) //nolint:errcheck // it ends with the first list
		if len(list.Instances) != 0 {
			t.Errorf("still listed: %v", list.Instances)
		}
	})
}

// An unsteady listener fails as it is told, between what it accepts.
type unsteady struct {
	net.Listener
	conns    chan net.Conn
	failures chan error
	once     sync.Once
}

func (f *unsteady) Accept() (net.Conn, error) {
	go func() {
		if conn, err := f.Listener.Accept(); err == nil {
			f.conns <- conn
		}
	}()
	select {
	case err := <-f.failures:
		return nil, err
	case conn, ok := <-f.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return conn, nil
	}
}

func (f *unsteady) Close() error {
	err := f.Listener.Close()
	f.once.Do(func() { close(f.conns) })
	return err
}

// Where no descriptor is left for a new connection, idle ones make room; who has a
// call in flight keeps his.
func TestOutOfDescriptors(t *testing.T) {
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		hold := make(chan struct{})
		tr.work = func(_ context.Context, id uint64) {
			if id == 0 {
				<-hold
			}
		}
		below, err := tr.network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		l := &unsteady{Listener: below, conns: make(chan net.Conn), failures: make(chan error)}
		s := rollcall.NewServer(rollcall.ServerOptions{Registrar: &tr.registry, Advertise: "server:1", ID: "a"})
		rollcall.Handle(s, once, func(ctx context.Context, in *[]byte) (*[]byte, error) {
			tr.work(ctx, uint64((*in)[7]))
			return in, nil
		})
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l) }()
		busy, idle := tr.client(rollcall.ClientOptions{}), tr.client(rollcall.ClientOptions{})
		held := make(chan error, 1)
		go func() {
			held <- tr.call(context.Background(), busy, 0, 0, false, rollcall.CallOptions{WaitForReady: true})
		}()
		if err := tr.call(context.Background(), idle, 1, 0, false, rollcall.CallOptions{WaitForReady: true}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		l.failures <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		time.Sleep(2 * time.Second)
		if n := s.State().Open; n != 1 {
			t.Errorf("%d connections are open, want that of the call in flight", n)
		}
		if err := tr.call(context.Background(), idle, 2, 0, false, rollcall.CallOptions{}); err != nil {
			t.Error(err)
		}
		close(hold)
		if err := <-held; err != nil {
			t.Error(err)
		}
		busy.Close()
		idle.Close()
		s.Close()
		<-served //nolint:errcheck // it ends with the test
	})
}

// A handler that heeds nothing keeps neither Close nor the entry: the error says
// which it is.
func TestCloseWithStuckHandler(t *testing.T) {
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		release := make(chan struct{})
		tr.work = func(context.Context, uint64) { <-release }
		listed := func() int {
			var n int
			ctx, stop := context.WithCancel(t.Context())
			tr.registry.Watch(ctx, func(u discovery.Update) { n = len(u.Instances); stop() }) //nolint:errcheck // it ends with the first list
			return n
		}
		l, err := tr.network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		s := rollcall.NewServer(rollcall.ServerOptions{Registrar: &tr.registry, Advertise: "server:1", ID: "a"})
		rollcall.Handle(s, once, func(ctx context.Context, in *[]byte) (*[]byte, error) {
			tr.work(ctx, 0)
			return in, nil
		})
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l) }()
		if _, err := s.Registered(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := tr.client(rollcall.ClientOptions{})
		go tr.call(context.Background(), c, 1, 0, false, rollcall.CallOptions{}) //nolint:errcheck // it hangs
		synctest.Wait()
		begun := time.Now()
		go s.Close()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := listed(); n != 0 {
			t.Error("the server is still listed while its handler hangs")
		}
		err = <-served
		if !errors.Is(err, rollcall.ErrServerClosed) || !strings.Contains(err.Error(), "Once (1)") {
			t.Errorf("got %v, want ErrServerClosed and the name of the method that runs", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		close(release)
		c.Close()
	})
}

// A connection that nobody uses ends, and no call is lost for it, whenever it
// comes; one with a call in flight stays.
func TestIdleConnectionsEnd(t *testing.T) {
	const idle = 8 * time.Second
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		hold := make(chan struct{})
		tr.work = func(_ context.Context, id uint64) {
			if id == 0 {
				<-hold
			}
		}
		s := tr.serve("server:1", rollcall.ServerOptions{IdleTimeout: idle})
		c := tr.client(rollcall.ClientOptions{})
		held := make(chan error, 1)
		go func() { held <- tr.call(context.Background(), c, 0, 0, false, rollcall.CallOptions{}) }()
		time.Sleep(5 * idle)
		if n := s.State().Open; n != 1 {
			t.Errorf("%d connections are open, want that with a call in flight", n)
		}
		close(hold)
		if err := <-held; err != nil {
			t.Error(err)
		}
		before := c.State().RetriesLeft
		var calls sync.WaitGroup
		id, ended := uint64(1), 0
		for pause := idle / 2; pause < 2*idle; pause += 50 * time.Millisecond {
			time.Sleep(pause)
			if s.State().Open == 0 {
				ended++
			}
			for range 3 {
				this := id
				calls.Go(func() {
					if err := tr.call(context.Background(), c, this, 0, false, rollcall.CallOptions{}); err != nil {
						t.Errorf("after a pause of %v: %v", pause, err)
					}
				})
				id++
			}
			calls.Wait()
		}
		if ended == 0 {
			t.Error("no connection has ended of idleness")
		}
		if left := c.State().RetriesLeft; left < before {
			t.Errorf("%v retries left of %v", left, before)
		}
		if counts := c.State().Counts; counts.Usable != 1 {
			t.Errorf("got %+v, want the instance usable", counts)
		}
		c.Close()
		s.Close()
	})
	for _, wrong := range tr.check() {
		t.Error(wrong)
	}
}
