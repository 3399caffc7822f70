// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// A room is a server with few places, in memory and of one bubble. It speaks all
// formats; every handler waits for release.
type room struct {
	t       *testing.T
	network memnet.Network
	l       *unsteady
	server  *rollcall.Server
	release chan struct{}
	drain   context.CancelFunc
	served  chan error
}

// newRoom serves; opts.Protocols and HTTP are its own.
func newRoom(t *testing.T, opts rollcall.ServerOptions) *room {
	t.Helper()
	r := &room{t: t, release: make(chan struct{}), served: make(chan error, 1)}
	below, err := r.network.Listen("server:1")
	if err != nil {
		t.Fatal(err)
	}
	r.l = &unsteady{Listener: below, conns: make(chan net.Conn), failures: make(chan error)}
	line := shout
	line.Serve = func(_ context.Context, conn net.Conn, s *rollcall.Server) error {
		b := make([]byte, 100)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return err
			}
			reply, err := s.Invoke(context.Background(), invoked(string(b[1:n])), rollcall.PeerOf(conn))
			if err != nil {
				return err
			}
			if _, err := conn.Write(reply.Body); err != nil {
				return err
			}
		}
	}
	deaf := rollcall.Protocol{
		Name: "deaf",
		Match: func(first []byte) rollcall.Verdict {
			if first[0] == '?' {
				return rollcall.MatchYes
			}
			return rollcall.MatchNo
		},
		Serve: func(context.Context, net.Conn, *rollcall.Server) error { <-r.release; return nil },
	}
	opts.Protocols = []rollcall.Protocol{line, deaf}
	opts.Logger = discard
	r.server = rollcall.NewServer(opts)
	r.server.HandleHTTP("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-r.release
		io.WriteString(w, "quotient") //nolint:errcheck // the client looks
	}))
	rollcall.Handle(r.server, divide, func(context.Context, *fraction) (*quotient, error) {
		<-r.release
		return &quotient{Server: "quotient"}, nil
	})
	var ctx context.Context
	ctx, r.drain = context.WithCancel(context.Background())
	go func() { r.served <- r.server.Serve(ctx, r.l) }()
	synctest.Wait()
	return r
}

// connect opens a connection and says something on it.
func (r *room) connect(says string) net.Conn {
	r.t.Helper()
	conn, err := r.network.Dial(r.t.Context(), "tcp", "server:1")
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, says); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return conn
}

// call makes a call with a client of its own, which stays connected.
func (r *room) call() error {
	r.t.Helper()
	c, err := rollcall.NewClient("static://server:1", rollcall.ClientOptions{Dial: r.network.Dial, Logger: discard})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	_, err = divide.Call(ctx, c, &fraction{Num2: 1})
	return err
}

func (r *room) end() {
	r.server.Close()
}

// whole is a request of every format, whole.
var whole = map[string]string{
	"rollcall": string(frame.AppendPreface(nil, frame.Preface{})) +
		string(framed(frame.TypeRequest, 1, frame.AppendRequest(nil, &frame.Request{Codec: frame.CodecJSON, Method: []byte(divide.Name), Body: []byte(`{}`)}))),
	"shout": "!{}",
	"HTTP":  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}

// Those who say something, in whatever format, and then nothing more keep nobody out
// when the places or the descriptors run out.
func TestStrangersOfEveryFormatGiveWay(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	says := map[string]string{
		"nothing": "", "a byte": "\xb2", "a preface": string(frame.AppendPreface(nil, frame.Preface{})), "a byte of HTTP": "G", "half a head": "GET / HT",
	}
	for name, text := range whole {
		says["a request of "+name] = text
	}
	const places = 5
	for name, text := range says {
		for _, scarce := range []string{"places", "descriptors"} {
			t.Run(name+", "+scarce, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					opts := rollcall.ServerOptions{MaxConnections: places, MaxConnectionsPerHost: places}
					if scarce == "descriptors" {
						opts = rollcall.ServerOptions{}
					}
					r := newRoom(t, opts)
					defer r.end()
					close(r.release)
					for range places {
						r.connect(text)
					}
					time.Sleep(2 * time.Second)
					if scarce == "descriptors" {
						r.l.failures <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
						time.Sleep(3 * time.Second)
						if n := r.server.State().Open; n != 0 {
							t.Errorf("%d connections are open, want none", n)
						}
						return
					}
					for i := range places + 3 {
						if err := r.call(); err != nil {
							t.Errorf("newcomer %d: %v", i, err)
						}
						time.Sleep(3 * time.Second)
					}
					if n := r.server.State().Open; n > places {
						t.Errorf("%d connections are open, want %d at most", n, places)
					}
				})
			})
		}
	}
}

// Who has a request in hand keeps his place, and gets his answer, in whatever format
// he asks.
func TestRequestInHandKeepsItsPlace(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	for name, text := range whole {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, rollcall.ServerOptions{MaxConnections: 1})
				defer r.end()
				conn := r.connect(text)
				time.Sleep(time.Minute)
				for range 3 {
					if err := r.call(); err == nil {
						t.Error("a newcomer gets a place that there is not")
					}
				}
				r.l.failures <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
				time.Sleep(3 * time.Second)
				close(r.release)
				var got strings.Builder
				for b := make([]byte, 1000); !strings.Contains(got.String(), "quotient"); {
					n, err := conn.Read(b)
					if err != nil {
						t.Fatalf("got %q, %v, want the answer", got.String(), err)
					}
					got.Write(b[:n])
				}
			})
		})
	}
}

// A request of HTTP/1.1 or HTTP/2 inside TLS is in hand from its head on until it is
// answered, and its connection at rest from then on.
func TestHTTPInsideTLSKeepsItsPlace(t *testing.T) {
	only(t, "it has TLS of its own", "tcp")
	for _, version := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			ours := newTrust("ours") // of the bubble's time
			r := newRoom(t, rollcall.ServerOptions{MaxConnections: 1, TLS: ours.server, AllowPlaintext: true})
			defer r.end()
			config := ours.client.Clone()
			config.ServerName = "rollcall.test"
			transport := &http.Transport{DialContext: r.network.Dial, TLSClientConfig: config, ForceAttemptHTTP2: version == 2}
			defer transport.CloseIdleConnections()
			answered := make(chan string, 1)
			go func() {
				request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://server:1/", nil)
				response, err := transport.RoundTrip(request)
				if err != nil {
					answered <- err.Error()
					return
				}
				defer response.Body.Close()
				body, _ := io.ReadAll(response.Body)
				answered <- fmt.Sprintf("%d %s", response.ProtoMajor, body)
			}()
			time.Sleep(time.Minute)
			if err := r.call(); err == nil {
				t.Errorf("version %d: a newcomer gets the place of a request in hand", version)
			}
			close(r.release)
			if got, want := <-answered, fmt.Sprintf("%d quotient", version); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			time.Sleep(2 * time.Second)
			if err := r.call(); err != nil {
				t.Errorf("version %d: a newcomer gets no place beside a connection at rest: %v", version, err)
			}
		})
	}
}

// Who calls again and again keeps his place while others have said hello and then
// nothing, also where he has rested just when it was looked who does.
func TestWhoCallsKeepsItsPlace(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	synctest.Test(t, func(t *testing.T) {
		const places = 20
		r := newRoom(t, rollcall.ServerOptions{MaxConnections: places, MaxConnectionsPerHost: places})
		defer r.end()
		close(r.release)
		dials := 0
		c, err := rollcall.NewClient("static://server:1", rollcall.ClientOptions{
			Logger: discard,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dials++
				return r.network.Dial(ctx, network, address)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 10 * places {
			for range 2 {
				if _, err := divide.Call(t.Context(), c, &fraction{Num2: 1}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			r.connect(string(frame.AppendPreface(nil, frame.Preface{})))
			time.Sleep(200 * time.Millisecond) // for who is told to go
		}
		if dials != 1 {
			t.Errorf("%d dials of who has called all the time, want one", dials)
		}
	})
}

// However slowly those leave that were told to go, there are not many more
// connections than places.
func TestPlacesAreABound(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	synctest.Test(t, func(t *testing.T) {
		const places, beyond = 10, 9
		r := newRoom(t, rollcall.ServerOptions{MaxConnections: places, MaxConnectionsPerHost: places})
		defer r.end()
		close(r.release)
		most := 0
		for range 10 * places {
			conn, err := r.network.Dial(t.Context(), "tcp", "server:1")
			if err != nil {
				t.Fatal(err)
			}
			conn.(*memnet.Conn).Write(frame.AppendPreface(nil, frame.Preface{})) //nolint:errcheck // it may be closed
			synctest.Wait()
			most = max(most, r.server.State().Open)
		}
		if most > places+beyond {
			t.Errorf("%d connections were open, want %d at most", most, places+beyond)
		}
		time.Sleep(time.Minute) // until the last of them has been accepted
		if err := r.call(); err != nil {
			t.Error(err)
		}
	})
}

// Where descriptors run out, no more connections end than make room: those that are
// on their way out count.
func TestDescriptorsAreFreedAFewAtOnce(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	synctest.Test(t, func(t *testing.T) {
		const idle = 60
		r := newRoom(t, rollcall.ServerOptions{})
		defer r.end()
		close(r.release)
		for range idle {
			r.connect(string(frame.AppendPreface(nil, frame.Preface{})))
		}
		time.Sleep(20 * time.Second)
		begun := time.Now()
		for range 3 {
			r.l.failures <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("accepting rested for %v", took)
		}
		time.Sleep(time.Second)
		if n := r.server.State().Open; n > idle-8 || n < idle-16 {
			t.Errorf("%d connections are open of %d, want 8 less, or 16 where the first had left", n, idle)
		}
	})
}
