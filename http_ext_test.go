// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// seen answers with what the handler sees of a request.
var seen = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s tls=%t", r.Proto, r.TLS != nil)
})

// webPages has a server answer all of HTTP with the handler.
func webPages(handler http.Handler) func(*rollcall.Server) {
	return func(s *rollcall.Server) { s.HandleHTTP("/", handler) }
}

// webClient speaks one version of HTTP, with TLS where config is not nil.
func webClient(t testing.TB, config *tls.Config, version int) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2 && config != nil)
	protocols.SetUnencryptedHTTP2(version == 2 && config == nil)
	if config != nil {
		config = config.Clone() // the transport adds to it
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// fetch makes a GET and returns the reply, its body read.
func fetch(t testing.TB, c *http.Client, url string) (resp *http.Response, body string) {
	t.Helper()
	resp, body, err := tryFetch(t, c, url)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func tryFetch(t testing.TB, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// untilIdle waits until no connection is open.
func untilIdle(t testing.TB, s *running) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); s.State().Open > 0; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still open: %+v", s.State().Connections)
		}
	}
}

// Everything is spoken on one port at once, in clear text and in TLS, and
// connections are kept.
func TestHTTPOnTheSamePort(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	ours := newTrust("ours")
	for _, tt := range []struct {
		name           string
		server, client *tls.Config
		scheme         string
	}{
		{"clear text", nil, nil, "http"},
		{"TLS", ours.server, ours.client, "https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			s := start(t, "", rollcall.ServerOptions{
				TLS: tt.server, Protocols: []rollcall.Protocol{shout}, Events: r.events(t), MaxPendingConnections: 10,
			}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, divideOn("a"))
				s.HandleHTTP("/", seen)
			})
			c, err := rollcall.NewClient("static://"+s.addr, rollcall.ClientOptions{TLS: tt.client})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var all sync.WaitGroup
			for version, proto := range map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0"} {
				web := webClient(t, tt.client, version)
				want := fmt.Sprintf("%s tls=%t", proto, tt.server != nil)
				all.Go(func() {
					for range 50 {
						if resp, body, err := tryFetch(t, web, tt.scheme+"://"+s.addr); err != nil || resp.StatusCode != http.StatusOK || body != want {
							t.Errorf("got %q, %v, want %q", body, err, want)
							return
						}
					}
				})
			}
			all.Go(func() {
				for range 50 {
					if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
						t.Error(err)
						return
					}
				}
			})
			all.Go(func() {
				conn := dialRaw(t, s.addr)
				if tt.client != nil {
					config := tt.client.Clone()
					config.ServerName = "127.0.0.1"
					conn = tls.Client(conn, config)
				}
				defer conn.Close()
				lines := bufio.NewReader(conn)
				for range 50 {
					io.WriteString(conn, "!hello\n") //nolint:errcheck // what comes of it is looked at elsewhere
					if line, err := lines.ReadString('\n'); err != nil || line != "!HELLO\n" {
						t.Errorf("got %q, %v", line, err)
						return
					}
				}
			})
			all.Wait()
			if open := r.noted("open"); len(open) != 4 || strings.Count(strings.Join(open, ","), "open http") != 2 {
				t.Errorf("each client keeps its connection, and two speak HTTP; opened: %q", open)
			}
			if state := s.State(); state.Open < 3 {
				t.Errorf("the connections are not in the state: %+v", state)
			}
		})
	}
}

// A client that negotiates nothing in TLS is told apart by its first bytes, and its
// request knows of the TLS all the same.
func TestHTTPInTLSWithoutALPN(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	ours := newTrust("ours")
	s := start(t, "", rollcall.ServerOptions{TLS: ours.server}, webPages(seen))
	config := ours.client.Clone()
	config.ServerName = "127.0.0.1"
	conn := tls.Client(dialRaw(t, s.addr), config)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") //nolint:errcheck // what comes of it is looked at elsewhere
	got, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(got), "HTTP/1.1 tls=true") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A connection that is kept is used again, and its end is seen.
func TestHTTPKeepAlive(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	r := newRecorder()
	s := start(t, "", rollcall.ServerOptions{Events: r.events(t)}, webPages(seen))
	web := webClient(t, nil, 1)
	for i := range 3 {
		reused := false
		ctx := httptrace.WithClientTrace(within(t), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // what comes of it is looked at elsewhere
		resp.Body.Close()
		if reused != (i > 0) {
			t.Errorf("request %d: reused is %t", i, reused)
		}
	}
	web.CloseIdleConnections()
	awaitSignal(t, r.closed, "the end of the connection")
	if got := r.noted("close"); len(got) != 1 || got[0] != `close "http" <nil>` {
		t.Errorf("got %q", got)
	}
	untilIdle(t, s)
}

// A foreign protocol that has the same first bytes goes first, and so does one that
// only may have them, as long as it may.
func TestForeignProtocolGoesBeforeHTTP(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	get := rollcall.Protocol{
		Name: "get",
		Match: func(first []byte) rollcall.Verdict {
			switch {
			case !strings.HasPrefix("GET GET", string(first[:min(len(first), 7)])):
				return rollcall.MatchNo
			case len(first) < 7:
				return rollcall.MatchMaybe
			}
			return rollcall.MatchYes
		},
		Serve: func(_ context.Context, conn net.Conn, _ *rollcall.Server) error {
			_, err := io.WriteString(conn, "foreign")
			return err
		},
	}
	s := start(t, "", rollcall.ServerOptions{Protocols: []rollcall.Protocol{get}}, webPages(seen))
	for _, tt := range []struct{ sent, want string }{
		{"GET GET", "foreign"},
		{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 tls=false"},
		{"PUT / HTTP/1.0\r\n\r\n", "HTTP/1.0 tls=false"},
		{"G3T / HTTP/1.0\r\n\r\n", ""},
	} {
		conn := dialRaw(t, s.addr)
		for i := range tt.sent { // the first bytes may come one by one
			io.WriteString(conn, tt.sent[i:i+1]) //nolint:errcheck // what comes of it is looked at elsewhere
		}
		if got, _ := io.ReadAll(conn); !strings.HasSuffix(string(got), tt.want) || (tt.want == "") != (len(got) == 0) {
			t.Errorf("%q: got %q, want %q", tt.sent, got, tt.want)
		}
		conn.Close()
		untilIdle(t, s)
	}
}

// Without a handler HTTP is refused as ever, and the log says what it is.
func TestHTTPIsNotServed(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	ours := newTrust("ours")
	log := new(logLines)
	s := start(t, "", rollcall.ServerOptions{Logger: log.logger()}, func(*rollcall.Server) {})
	if _, _, err := tryFetch(t, webClient(t, nil, 1), "http://"+s.addr); err == nil {
		t.Error("clear text: it is answered")
	}
	log.await(t, 1, "no known protocol", "it looks like HTTP: Server.HandleHTTP")
	log = new(logLines)
	s = start(t, "", rollcall.ServerOptions{Logger: log.logger(), TLS: ours.server}, func(*rollcall.Server) {})
	if _, _, err := tryFetch(t, webClient(t, ours.client, 2), "https://"+s.addr); err == nil {
		t.Error("TLS: it is answered")
	}
	log.await(t, 1, "no known protocol", "it looks like HTTP: Server.HandleHTTP")
	log = new(logLines)
	s = start(t, "", rollcall.ServerOptions{Logger: log.logger(), TLS: ours.server}, webPages(seen))
	if _, _, err := tryFetch(t, webClient(t, nil, 1), "http://"+s.addr); err == nil {
		t.Error("clear text beside TLS: it is answered")
	}
	log.await(t, 1, "AllowPlaintext lets both in")
}

// A panic of the handler ends its request, is logged once, with its stack, and the
// server goes on. http.ErrAbortHandler is nobody's business.
func TestHTTPHandlerThatPanics(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	log := new(logLines)
	s := start(t, "", rollcall.ServerOptions{Logger: log.logger()}, webPages(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("boom")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})))
	for _, version := range []int{1, 2} {
		web := webClient(t, nil, version)
		for _, path := range []string{"/abort", "/panic"} {
			if _, _, err := tryFetch(t, web, "http://"+s.addr+path); err == nil {
				t.Errorf("version %d: %s is answered", version, path)
			}
		}
		if resp, _ := fetch(t, web, "http://"+s.addr); resp.StatusCode != http.StatusOK {
			t.Errorf("version %d: %s after the panic", version, resp.Status)
		}
	}
	log.once(t, "level=ERROR", "HTTP handler panicked", "panic=boom", "path=/panic", "http_ext_test.go") // one in a second
	if lines, _ := log.with("/abort"); len(lines) > 0 {
		t.Errorf("an abort is logged: %q", lines)
	}
}

// holdWeb answers "/hold" when it is released, or with what has ended its context.
func holdWeb() (handler http.Handler, begun chan struct{}, release func()) {
	begun, end := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", seen)
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		select {
		case <-end:
			io.WriteString(w, "held") //nolint:errcheck // what comes of it is looked at elsewhere
		case <-r.Context().Done():
		}
	})
	return mux, begun, sync.OnceFunc(func() { close(end) })
}

// A request in flight is finished by a drain, and connections at rest are closed.
func TestDrainWaitsForHTTP(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	ours := newTrust("ours")
	for _, tt := range []struct {
		name    string
		version int
		server  *tls.Config
		client  *tls.Config
	}{{"HTTP/1.1", 1, nil, nil}, {"h2c", 2, nil, nil}, {"h2", 2, ours.server, ours.client}} {
		t.Run(tt.name, func(t *testing.T) {
			handler, begun, release := holdWeb()
			defer release()
			s := start(t, "", rollcall.ServerOptions{TLS: tt.server, DrainDelay: -1}, webPages(handler))
			url := "http://" + s.addr
			if tt.server != nil {
				url = "https://" + s.addr
			}
			idle, busy := webClient(t, tt.client, tt.version), webClient(t, tt.client, tt.version)
			fetch(t, idle, url)
			answer := make(chan string, 1)
			go func() {
				resp, body, err := tryFetch(t, busy, url+"/hold")
				answer <- fmt.Sprint(body, " ", err, " ", err == nil && tt.version == 1 && !resp.Close)
			}()
			<-begun
			s.drain()
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for state := s.State(); !state.Refusing || state.Open > 1; state = s.State() {
				<-tick.C
			}
			select {
			case <-s.ended:
				t.Fatal("the drain does not wait for a request in flight")
			default:
			}
			release()
			if got := <-answer; got != "held <nil> false" {
				t.Errorf("the request in flight: got %s", got)
			}
			<-s.ended
			if s.err != nil {
				t.Error(s.err)
			}
		})
	}
}

// What is still in flight when its time is up, and what a handler took over, does
// not outlive the server.
func TestHTTPEndsWithTheServer(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	for _, version := range []int{1, 2} {
		for _, drains := range []bool{true, false} {
			handler, begun, release := holdWeb()
			s := start(t, "", rollcall.ServerOptions{DrainDelay: -1, DrainTimeout: time.Millisecond}, webPages(handler))
			failed := make(chan error, 1)
			go func() {
				_, body, err := tryFetch(t, webClient(t, nil, version), "http://"+s.addr+"/hold")
				if err == nil {
					t.Errorf("got %q", body)
				}
				failed <- err
			}()
			<-begun
			if drains {
				s.drain()
			} else {
				s.Close()
			}
			<-s.ended
			<-failed //nolint:errcheck // what comes of it is looked at elsewhere
			release()
		}
	}
	taken := make(chan net.Conn, 1)
	s := start(t, "", rollcall.ServerOptions{DrainDelay: -1, DrainTimeout: time.Millisecond}, webPages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- conn
	})))
	conn := dialRaw(t, s.addr)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:errcheck // what comes of it is looked at elsewhere
	<-taken
	if n := s.State().Open; n != 1 {
		t.Errorf("%d connections are open, want the one that was taken over", n)
	}
	s.drain()
	<-s.ended
	if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a connection that was taken over outlives the server")
	}
}

// Those who begin a request and do not finish its head are closed in time, and
// nothing is held for them.
func TestHalfARequestLine(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		l, err := network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		s := rollcall.NewServer(rollcall.ServerOptions{Logger: new(logLines).logger()})
		s.HandleHTTP("/", seen)
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l) }()
		begun := time.Now()
		var clients sync.WaitGroup
		for i := range 100 {
			conn, err := network.Dial(t.Context(), "tcp", "server:1")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, []string{"GE", "GET /heal", "GET / HTTP/1.1\r\nHost: ", "PRI * HTTP"}[i%4]) //nolint:errcheck // what comes of it is looked at elsewhere
			clients.Go(func() {
				io.ReadAll(conn) //nolint:errcheck // what comes of it is looked at elsewhere
				conn.Close()
			})
		}
		synctest.Wait()
		if n := s.State().Open; n != 100 {
			t.Errorf("%d connections are open, want 100", n)
		}
		clients.Wait()
		if took := time.Since(begun); took > 2*rollcall.DefaultFirstByteTimeout {
			t.Errorf("they were held for %v", took)
		}
		synctest.Wait()
		if n := s.State().Open; n != 0 {
			t.Errorf("%d connections are still open", n)
		}
		s.Close()
		<-served //nolint:errcheck // what comes of it is looked at elsewhere
	})
}

// A server that speaks HTTP leaves nothing behind.
func TestNothingIsLeftBehindByHTTP(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	ours := newTrust("ours")
	leavesNothing(t, 10, func() {
		s := start(t, "", rollcall.ServerOptions{TLS: ours.server, AllowPlaintext: true, DrainDelay: -1, Registrar: new(discovery.Memory)}, webPages(seen))
		for _, version := range []int{1, 2} {
			fetch(t, webClient(t, nil, version), "http://"+s.addr)
			web := webClient(t, ours.client, version)
			fetch(t, web, "https://"+s.addr)
			web.CloseIdleConnections()
		}
		half := dialRaw(t, s.addr)
		defer half.Close()
		io.WriteString(half, "GET /") //nolint:errcheck // what comes of it is looked at elsewhere
		s.Close()
		<-s.ended
	})
}

// What cannot be handled is told by Serve, or by the log where that runs already.
func TestHandleHTTPRefuses(t *testing.T) {
	named := rollcall.Protocol{Name: "http", Match: shout.Match, Serve: shout.Serve}
	for says, handle := range map[string]func(*rollcall.Server){
		`pattern "/": its handler is nil: give one`: func(s *rollcall.Server) { s.HandleHTTP("/", nil) },
		`pattern "": `: func(s *rollcall.Server) { s.HandleHTTP("", seen) },
		`conflicts with`: func(s *rollcall.Server) {
			s.HandleHTTP("/a", seen)
			s.HandleHTTP("/a", seen)
		},
	} {
		s := rollcall.NewServer(rollcall.ServerOptions{})
		handle(s)
		if err := s.ListenAndServe(within(t), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	s := rollcall.NewServer(rollcall.ServerOptions{Protocols: []rollcall.Protocol{named}})
	s.HandleHTTP("/", seen)
	if err := s.ListenAndServe(within(t), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), `has the name "http"`) {
		t.Errorf("got %v", err)
	}
}

// A server that speaks HTTP takes further handlers while it serves; one that does
// not says that it is too late.
func TestHandleHTTPWhileServing(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	log := new(logLines)
	s := start(t, "", rollcall.ServerOptions{Logger: log.logger()}, func(s *rollcall.Server) { s.HandleHTTP("/first", seen) })
	web := webClient(t, nil, 1)
	fetch(t, web, "http://"+s.addr+"/first")
	for path, want := range map[string]int{"/first": http.StatusOK, "/second": http.StatusNotFound} {
		if resp, _ := fetch(t, web, "http://"+s.addr+path); resp.StatusCode != want {
			t.Errorf("%s: got %s, want %d", path, resp.Status, want)
		}
	}
	s.HandleHTTP("/second", seen)
	if resp, _ := fetch(t, web, "http://"+s.addr+"/second"); resp.StatusCode != http.StatusOK {
		t.Errorf("the second handler: got %s", resp.Status)
	}
	s.HandleHTTP("/second", seen)
	log.once(t, "level=ERROR", "HTTP is not handled", "conflicts with")
	log = new(logLines)
	s = start(t, "", rollcall.ServerOptions{Logger: log.logger(), Registrar: new(discovery.Memory)}, func(*rollcall.Server) {})
	s.HandleHTTP("/", seen)
	log.once(t, "level=ERROR", "HTTP is not handled", "call HandleHTTP before Serve")
}
