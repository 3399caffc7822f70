// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

func TestServerEndsConnectionsThatBreakTheProtocol(t *testing.T) {
	empty := frame.AppendRequest(nil, &frame.Request{})
	raw := func(b []byte, edit func([]byte)) []byte { edit(b); return b }
	request := func(id uint64) []byte { return frameBytes(frame.TypeRequest, 0, id, empty) }
	for name, c := range map[string]struct {
		bytes []byte
		text  string // in the GOAWAY
	}{
		"frame too long":   {frame.AppendHeader(nil, frame.Header{Type: frame.TypeRequest, Length: 65537, StreamID: 9}), "frame length is 65537"},
		"unknown type":     {frameBytes(0x0b, 0, 9, nil), "frame type is 11"},
		"reserved bytes":   {raw(request(9), func(b []byte) { b[6] = 1 }), "reserved bytes"},
		"unknown flag":     {frameBytes(frame.TypeRequest, 4, 9, empty), "flags of REQUEST"},
		"id 0":             {request(0), "stream id of REQUEST is 0"},
		"server's id":      {request(frame.ServerStreamBit | 9), "stream id of REQUEST"},
		"id repeated":      {append(request(9), request(9)...), "ids must increase"},
		"id decreased":     {append(request(9), request(8)...), "ids must increase"},
		"short request":    {frameBytes(frame.TypeRequest, 0, 9, empty[:11]), "REQUEST is 11"},
		"metadata length":  {frameBytes(frame.TypeRequest, 0, 9, raw(append([]byte{}, empty...), func(b []byte) { b[3] = 1 })), "method and metadata of REQUEST"},
		"reply":            {frameBytes(frame.TypeReply, 0, 9, make([]byte, 4)), "a client sent REPLY"},
		"error":            {frameBytes(frame.TypeError, 0, 9, []byte{1, 1, 0, 0, 0}), "a client sent ERROR"},
		"data of nothing":  {frameBytes(frame.TypeData, 0, 9, nil), "DATA on stream 9"},
		"cancel nothing":   {frameBytes(frame.TypeCancel, 0, 9, nil), "CANCEL on stream 9"},
		"data behind end":  {append(request(9), frameBytes(frame.TypeData, 0, 9, nil)...), "whose request is complete"},
		"short goaway":     {frameBytes(frame.TypeGoAway, 0, 0, []byte("short")), "GOAWAY is 5"},
		"ping with stream": {frameBytes(frame.TypePing, 0, 1, make([]byte, 8)), "stream id of PING"},
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			p, s, served := dialServer(t, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
				<-ctx.Done()
				<-release
				return echo(ctx, req)
			}}, &frame.Preface{})
			p.request(3, 0, "in flight")
			p.send(c.bytes)
			g := p.wantGoAway()
			want := uint64(3)
			if name == "id repeated" || name == "id decreased" || name == "data behind end" {
				want = 9
			}
			if g.Reason != frame.GoAwayProtocolError || g.LastStreamID != want || !strings.Contains(g.Text, c.text) {
				t.Errorf("%s: got %+v, want last id %d and %q", name, g, want, c.text)
			}
			p.wantEnd()
			p.conn.Close()
			close(release)
			if err := <-served; !errors.Is(err, ErrProtocol) {
				t.Errorf("%s: Serve returned %v", name, err)
			}
			<-s.Drained()
		})
	}
}

func TestClientEndsConnectionsThatBreakTheProtocol(t *testing.T) {
	reply := frame.AppendReply(nil, &frame.Reply{})
	goAway := func(last uint64) []byte {
		return frameBytes(frame.TypeGoAway, 0, 0, frame.AppendGoAway(nil, frame.GoAway{LastStreamID: last, Reason: frame.GoAwayShutdown}))
	}
	for name, b := range map[string][]byte{
		"request":         frameBytes(frame.TypeRequest, 0, 1, frame.AppendRequest(nil, &frame.Request{})),
		"cancel":          frameBytes(frame.TypeCancel, 0, 1, nil),
		"reply too early": frameBytes(frame.TypeReply, 0, 99, reply),
		"error too early": frameBytes(frame.TypeError, 0, 99, frame.AppendError(nil, &frame.Error{Code: 1, Executed: 1})),
		"data too early":  frameBytes(frame.TypeData, 0, 99, reply),
		"second reply":    append(frameBytes(frame.TypeReply, frame.FlagMore, 1, reply), frameBytes(frame.TypeReply, 0, 1, reply)...),
		"reserved byte":   frameBytes(frame.TypeReply, 0, 1, []byte{0, 1, 0, 0}),
		"bad error":       frameBytes(frame.TypeError, 0, 1, []byte{0, 1, 0, 0, 0}),
		"rising goaway":   append(goAway(5), goAway(6)...),
		"frame too long":  frame.AppendHeader(nil, frame.Header{Type: frame.TypeReply, Length: 65537, StreamID: 1}),
	} {
		p, c := acceptClient(t, ClientOptions{}, ok)
		done := make(chan error)
		go func() {
			_, err := c.Call(t.Context(), &Request{Method: "M"})
			done <- err
		}()
		p.want(frame.TypeRequest, 1)
		p.send(b)
		err := <-done
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrProtocol)
		if !errors.Is(c.Err(), ErrProtocol) {
			t.Errorf("%s: died of %v", name, c.Err())
		}
	}
}

// Over a socket the client, too, says why it leaves.
func TestClientSendsGoAway(t *testing.T) {
	a, b := tcpPair(t)
	c := NewClientConn(a, ClientOptions{})
	defer c.Close()
	defer b.Close()
	p := &peer{t, b}
	p.preface()
	p.send(frame.AppendServerPreface(nil, *ok))
	p.sendFrame(frame.TypeRequest, 0, 1, nil)
	if g := p.wantGoAway(); g.Reason != frame.GoAwayProtocolError || !strings.Contains(g.Text, "a server sent REQUEST") {
		t.Errorf("got %+v", g)
	}
}

func TestServerOnGoAwayOfProtocolError(t *testing.T) {
	p, c := acceptClient(t, ClientOptions{}, ok)
	p.sendFrame(frame.TypeGoAway, 0, 0, frame.AppendGoAway(nil, frame.GoAway{Reason: frame.GoAwayProtocolError, Text: "you did it"}))
	<-c.Done()
	if err := c.Err(); !errors.Is(err, ErrGoAway) || !strings.Contains(err.Error(), "you did it") {
		t.Errorf("died of %v", err)
	}
}

func TestWrongInstance(t *testing.T) {
	modes(t, func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig) {
		r := connect(t, ClientOptions{InstanceID: "a"}, ServerOptions{InstanceID: "b", Handler: func(context.Context, *ServerRequest) (Reply, error) {
			t.Error("handler ran")
			return Reply{}, nil
		}})
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, 0, ErrWrongInstance)
		if err := r.client.Handshake(t.Context()); !errors.Is(err, ErrWrongInstance) || !strings.Contains(err.Error(), `found "b"`) {
			t.Errorf("Handshake = %v", err)
		}
		<-r.served
		if !errors.Is(r.serveErr, ErrWrongInstance) {
			t.Errorf("Serve returned %v", r.serveErr)
		}
	})
	r := tcpRig(t, ClientOptions{InstanceID: "b"}, ServerOptions{InstanceID: "b"})
	if err := r.client.Handshake(t.Context()); err != nil {
		t.Errorf("right instance: %v", err)
	}
}

func TestOtherVersions(t *testing.T) {
	p, _, served := dialServer(t, ServerOptions{}, nil)
	p.send([]byte("\xb2ROLL\x02\x00\x03abc"))
	if got := p.serverPreface(); got.Status != frame.StatusUnsupportedVersion || got.Version != frame.Version {
		t.Errorf("got %+v", got)
	}
	p.wantEnd()
	p.conn.Close()
	if err := <-served; !errors.Is(err, ErrUnsupportedVersion) {
		t.Errorf("Serve returned %v", err)
	}

	q, c := acceptClient(t, ClientOptions{}, nil)
	done := make(chan error)
	go func() {
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		done <- err
	}()
	q.want(frame.TypeRequest, 1)
	q.send(frame.AppendServerPreface(nil, frame.ServerPreface{Version: 3, Status: frame.StatusUnsupportedVersion}))
	wantCallError(t, <-done, frame.ExecutedNo, PhaseHandshake, ErrUnsupportedVersion)
}

func TestStrangers(t *testing.T) {
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\xb2ROLF\x01\x00\x00", "x"} {
		p, _, served := dialServer(t, ServerOptions{}, nil)
		p.send([]byte(text))
		if err := <-served; !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: Serve returned %v", text, err)
		}
		p.wantEnd()
		q, c := acceptClient(t, ClientOptions{}, nil)
		q.send([]byte(text))
		<-c.Done()
		if err := c.Handshake(t.Context()); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: Handshake = %v", text, err)
		}
	}
	p, _, served := dialServer(t, ServerOptions{}, nil) // a health probe
	p.conn.Close()
	if err := <-served; err != nil {
		t.Errorf("a connection without a byte: %v", err)
	}
}

func TestMutePeers(t *testing.T) {
	t.Run("client says nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, _, served := dialServer(t, ServerOptions{}, nil)
			if err := <-served; !errors.Is(err, ErrHandshakeTimeout) || time.Since(start) != 10*time.Second {
				t.Errorf("Serve returned %v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("client says half a preface", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, _, served := dialServer(t, ServerOptions{HandshakeTimeout: time.Second}, nil)
			p.send([]byte("\xb2ROL"))
			if err := <-served; !errors.Is(err, ErrHandshakeTimeout) {
				t.Errorf("Serve returned %v", err)
			}
		})
	})
	t.Run("server says nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c := acceptClient(t, ClientOptions{}, nil)
			start := time.Now()
			<-c.Done()
			if err := c.Err(); !errors.Is(err, ErrHandshakeTimeout) || time.Since(start) != 10*time.Second {
				t.Errorf("died of %v after %v", err, time.Since(start))
			}
		})
	})
	for name, say := range map[string][]byte{"nothing": nil, "half a reply": {0, 0, 0, 9, 3, 0, 0}} {
		t.Run("server says "+name+" to a call", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c := acceptClient(t, ClientOptions{}, ok)
				time.Sleep(time.Hour) // idle: nobody is asked
				if c.Err() != nil {
					t.Fatal(c.Err())
				}
				start := time.Now()
				go func() {
					p.want(frame.TypeRequest, 1)
					p.send(say)
					for h, _ := p.next(); h.Type != 0; h, _ = p.next() {
						if h.Type != frame.TypePing {
							t.Errorf("got %v", h.Type)
						}
					}
				}()
				_, err := c.Call(t.Context(), &Request{Method: "M"})
				wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrKeepalive)
				if d := time.Since(start); d < 900*time.Millisecond || d > 1100*time.Millisecond {
					t.Errorf("died after %v, want about 900ms", d)
				}
				synctest.Wait()
			})
		})
	}
	t.Run("before the server's preface", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c := acceptClient(t, ClientOptions{}, nil)
			_, err := c.Call(t.Context(), &Request{Method: "M"})
			wantCallError(t, err, frame.ExecutedMaybe, PhaseHandshake, ErrKeepalive)
		})
	})
}

// A slow handler is not a dead server: PONGs keep the connection alive.
func TestKeepaliveDuringASlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			time.Sleep(time.Hour)
			return echo(ctx, req)
		}})
		for range 2 {
			if _, err := r.client.Call(t.Context(), &Request{Method: "M"}); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestCallbacksAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		var causes []error
		c := NewClientConn(a, ClientOptions{OnClose: func(err error) { causes = append(causes, err) }})
		done := make(chan error)
		go func() {
			_, err := c.Call(t.Context(), &Request{Method: "M"})
			done <- err
		}()
		synctest.Wait()
		b.Close()
		wantCallError(t, <-done, frame.ExecutedMaybe, PhaseHandshake, ErrPeerClosed)
		c.Close()
		c.Close()
		if len(causes) != 1 || !errors.Is(causes[0], ErrPeerClosed) {
			t.Errorf("OnClose saw %v", causes)
		}
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, ErrPeerClosed)
	})
}

// Random bytes behind a good preface never hurt the server, never take more
// memory than was sent, never reach a handler as more requests than there were
// bytes for, and leave the next client served.
func FuzzServerBytes(f *testing.F) {
	request := frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Metadata: frame.Metadata{"k": "v"}, Body: []byte("x")})
	f.Add(frameBytes(frame.TypeRequest, 0, 1, frame.AppendRequest(nil, &frame.Request{Method: []byte("M")})))
	f.Add(append(frameBytes(frame.TypeRequest, 0, 1, request), frameBytes(frame.TypeRequest, 0, 2, request)...))
	f.Add(append(frameBytes(frame.TypeRequest, frame.FlagMore, 1, frame.AppendRequest(nil, &frame.Request{})), frameBytes(frame.TypeData, 0, 1, []byte("x"))...))
	f.Add(append(frameBytes(frame.TypeRequest, frame.FlagMore, 1, request), frameBytes(frame.TypeCancel, 0, 1, nil)...))
	f.Add(frameBytes(frame.TypeCancel, 0, 1, nil))
	f.Add(frameBytes(frame.TypePing, 0, 0, make([]byte, frame.PingBytes)))
	f.Add(frameBytes(frame.TypeGoAway, 0, 0, frame.AppendGoAway(nil, frame.GoAway{Text: "bye"})))
	f.Add(frame.AppendHeader(nil, frame.Header{Type: frame.TypeRequest, Length: frame.MaxMaxFrame, StreamID: 1}))
	f.Add(frame.AppendHeader(nil, frame.Header{Type: frame.TypeRequest, Length: 1<<32 - 1, StreamID: 1}))
	workers := NewWorkers() // of a server whose connections share them
	f.Cleanup(workers.Close)
	f.Fuzz(func(t *testing.T, b []byte) {
		var handled atomic.Int64
		opts := ServerOptions{
			Workers: workers, MaxStreams: 3, MaxMessageBytes: 50, MaxFrameBytes: frame.MaxMaxFrame,
			Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
				handled.Add(1)
				return echo(ctx, req)
			},
		}
		s := exchangeBytes(opts, append(frame.AppendPreface(nil, frame.Preface{}), b...))
		if got, most := handled.Load(), int64(len(b)/frame.HeaderBytes); got > most {
			t.Errorf("%d requests were handled, there are bytes for %d", got, most)
		}
		if got, most := len(s.in.buf), max(minInBuffer, maxInBuffer, 2*(len(b)+frame.MaxPrefaceBytes)); got > most {
			t.Errorf("a buffer of %d bytes for %d that were sent, want at most %d", got, len(b), most)
		}
		r := memRig(t, ClientOptions{}, opts)
		if _, err := r.client.Call(t.Context(), &Request{Method: "M", Body: []byte("x")}); err != nil {
			t.Errorf("the next client is not served: %v", err)
		}
		r.close()
	})
}

// exchangeBytes sends bytes to a new server's connection and returns it when it
// has ended.
func exchangeBytes(opts ServerOptions, b []byte) *ServerConn {
	a, conn := memnet.Pipe()
	s := NewServerConn(conn, opts)
	served := make(chan error)
	go func() { served <- s.Serve(context.Background()) }()
	go func() {
		a.Write(b)     //nolint:errcheck // the other end may be gone
		a.CloseWrite() //nolint:errcheck // the other end may be gone
	}()
	io.Copy(io.Discard, a) //nolint:errcheck // until the other end is gone
	<-served               //nolint:errcheck // what comes of it is looked at elsewhere
	return s
}

// Whatever frames a server sends, a call ends, and its error says whether it may
// have been executed.
func TestRandomFramesToAClient(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		a, b := net.Pipe()
		c := NewClientConn(a, ClientOptions{})
		go func() {
			b.Write(frame.AppendServerPreface(nil, *ok)) //nolint:errcheck // the other end may be gone
			for range 20 {
				payload := make([]byte, rng.IntN(20))
				for i := range payload {
					payload[i] = byte(rng.IntN(4))
				}
				if len(payload) >= 8 {
					binary.BigEndian.PutUint32(payload, 0)
				}
				if _, err := b.Write(frameBytes(frame.Type(rng.IntN(9)), frame.Flags(rng.IntN(2)), uint64(rng.IntN(3)), payload)); err != nil {
					break
				}
			}
			b.Close()
		}()
		go func() { io.Copy(io.Discard, b) }() //nolint:errcheck // until the other end is gone
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		var call *CallError
		var remote *RemoteError
		switch {
		case err == nil, errors.As(err, &remote) && remote.Executed != 0:
		case errors.As(err, &call) && call.Executed != 0:
		default:
			t.Errorf("seed %d: %v", seed, err)
		}
		c.Close()
	}
}
