// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall/frame"
)

func wantLimit(t *testing.T, err error, kind frame.LimitKind, field string, value, limit int) {
	t.Helper()
	var e *frame.LimitError
	if !errors.As(err, &e) || e.Kind != kind || e.Field != field || e.Value != value || e.Limit != limit {
		t.Errorf("got %v, want a LimitError of %s: %d over %d", err, field, value, limit)
	}
}

// A request that the server would refuse is not sent.
func TestClientRefusesWhatTheServerWould(t *testing.T) {
	r := tcpRig(t, ClientOptions{}, ServerOptions{MaxMessageBytes: 1000, MaxMetadataBytes: 50})
	if err := r.client.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 1001)})
	wantCallError(t, err, frame.ExecutedNo, PhaseQueue, err)
	wantLimit(t, err, frame.LimitMessage, "message", 1001, 1000)
	_, err = r.client.Call(t.Context(), &Request{Method: "M", Metadata: frame.Metadata{"key": strings.Repeat("x", 50)}})
	wantCallError(t, err, frame.ExecutedNo, PhaseQueue, err)
	wantLimit(t, err, frame.LimitMetadata, "metadata", 56, 50)
	_, err = r.client.Call(t.Context(), &Request{Method: strings.Repeat("m", 256)})
	wantLimit(t, err, frame.LimitMethod, "method", 256, 255)
	if _, err = r.client.Call(t.Context(), &Request{Method: strings.Repeat("m", 255), Body: make([]byte, 1000)}); err != nil {
		t.Error(err)
	}
}

// A client that has not seen the server's lower limits is answered call by call.
func TestServerRefusesStreamsNotTheConnection(t *testing.T) {
	var calls sync.Map
	p, _, _ := dialServer(t, ServerOptions{
		MaxMessageBytes: 100, MaxMetadataBytes: 8, MaxStreams: 1,
		Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			calls.Store(string(req.Body), true)
			return echo(ctx, req)
		},
	}, &frame.Preface{})
	big := strings.Repeat("x", 101)

	p.request(1, 0, big)
	wantRemote(t, p.wantError(1), frame.CodeResourceExhausted, ReasonMessageTooLarge, frame.ExecutedNo)

	p.request(2, frame.FlagMore, big[:60]) // too large with its second piece; the third is ignored
	p.sendFrame(frame.TypeData, frame.FlagMore, 2, []byte(big[60:]))
	p.sendFrame(frame.TypeData, 0, 2, []byte(big))
	wantRemote(t, p.wantError(2), frame.CodeResourceExhausted, ReasonMessageTooLarge, frame.ExecutedNo)

	p.sendFrame(frame.TypeRequest, 0, 3, frame.AppendRequest(nil, &frame.Request{Metadata: frame.Metadata{"k": "12345"}}))
	wantRemote(t, p.wantError(3), frame.CodeResourceExhausted, ReasonMetadataTooLarge, frame.ExecutedNo)

	p.request(4, frame.FlagMore, "half, ") // holds the one place
	p.request(5, 0, "crowd")
	wantRemote(t, p.wantError(5), frame.CodeUnavailable, ReasonTooManyStreams, frame.ExecutedNo)
	p.sendFrame(0xfe, 0xff, 77, []byte("ignored"))
	p.sendFrame(frame.TypeData, 0, 4, []byte("whole"))
	p.wantReply(4, "half, whole")

	p.request(6, frame.FlagMore, "gone") // cancelled between its pieces
	p.sendFrame(frame.TypeCancel, 0, 6, nil)
	p.sendFrame(frame.TypeData, 0, 6, []byte("!"))
	p.request(70, 0, "last")
	p.wantReply(70, "last")

	var handled []string
	calls.Range(func(k, _ any) bool { handled = append(handled, k.(string)); return true })
	if len(handled) != 2 {
		t.Errorf("handled %q", handled)
	}
}

// Pieces of several requests that alternate come together.
func TestInterleavedPieces(t *testing.T) {
	p, _, _ := dialServer(t, ServerOptions{}, &frame.Preface{})
	p.request(1, frame.FlagMore, "a")
	p.request(2, frame.FlagMore, "x")
	p.request(3, 0, "quick")
	p.wantReply(3, "quick")
	p.sendFrame(frame.TypeData, frame.FlagMore, 2, []byte("y"))
	p.sendFrame(frame.TypeData, frame.FlagMore, 1, []byte("b"))
	p.sendFrame(frame.TypeData, 0, 1, nil)
	p.wantReply(1, "ab")
	p.sendFrame(frame.TypeData, 0, 2, []byte("z"))
	p.wantReply(2, "xyz")
}

func TestRepliesInPieces(t *testing.T) {
	p, c := acceptClient(t, ClientOptions{}, ok)
	var wg sync.WaitGroup
	call := func(want string) {
		wg.Go(func() {
			reply, err := c.Call(t.Context(), &Request{Method: want})
			if err != nil || string(reply.Body) != want {
				t.Errorf("got %q, %v; want %q", reply.Body, err, want)
			}
		})
	}
	call("abc")
	first, _ := p.next()
	call("xyz")
	second, _ := p.next()
	p.sendFrame(frame.TypeReply, frame.FlagMore, first.StreamID, []byte("\x00\x00\x00\x00a"))
	p.sendFrame(frame.TypeReply, frame.FlagMore, second.StreamID, []byte("\x00\x00\x00\x00x"))
	p.sendFrame(frame.TypeData, frame.FlagMore, first.StreamID, []byte("b"))
	p.sendFrame(frame.TypeData, 0, second.StreamID, []byte("yz"))
	p.sendFrame(frame.TypeData, 0, first.StreamID, []byte("c"))
	wg.Wait()

	wg.Go(func() { // a reply may end in an error after its first pieces
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		wantRemote(t, err, frame.CodeDataLoss, "", frame.ExecutedYes)
	})
	third, _ := p.next()
	p.sendFrame(frame.TypeReply, frame.FlagMore, third.StreamID, []byte("\x00\x00\x00\x00x"))
	p.sendFrame(frame.TypeError, 0, third.StreamID, frame.AppendError(nil, &frame.Error{Code: frame.CodeDataLoss, Executed: frame.ExecutedYes}))
	wg.Wait()
}

// A handler's reply that the client does not take becomes an error that says
// that the call was executed; so does one that comes all the same.
func TestRepliesOverTheClientsLimits(t *testing.T) {
	r := tcpRig(t, ClientOptions{MaxMessageBytes: 100, MaxMetadataBytes: 10}, ServerOptions{})
	_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 101)})
	wantRemote(t, err, frame.CodeResourceExhausted, ReasonMessageTooLarge, frame.ExecutedYes)
	_, err = r.client.Call(t.Context(), &Request{Method: "M", Metadata: frame.Metadata{"k": "long enough"}})
	wantRemote(t, err, frame.CodeResourceExhausted, ReasonMetadataTooLarge, frame.ExecutedYes)

	p, c := acceptClient(t, ClientOptions{MaxMessageBytes: 100, MaxMetadataBytes: 10}, ok)
	var wg sync.WaitGroup
	for i, pieces := range [][]string{{strings.Repeat("x", 101)}, {strings.Repeat("x", 60), strings.Repeat("x", 41), "y"}} {
		wg.Go(func() {
			_, err := c.Call(t.Context(), &Request{Method: "M"})
			wantCallError(t, err, frame.ExecutedYes, PhaseWait, err)
			wantLimit(t, err, frame.LimitMessage, "reply", 101, 100)
		})
		h, _ := p.next()
		typ, prefix := frame.TypeReply, "\x00\x00\x00\x00"
		for n, piece := range pieces {
			var flags frame.Flags
			if n < len(pieces)-1 {
				flags = frame.FlagMore
			}
			p.sendFrame(typ, flags, h.StreamID, []byte(prefix+piece))
			typ, prefix = frame.TypeData, ""
		}
		wg.Wait()
		if c.Err() != nil {
			t.Fatalf("case %d: connection died: %v", i, c.Err())
		}
	}
}

func TestTooManyStreamsLocally(t *testing.T) {
	release := make(chan struct{})
	r := tcpRig(t, ClientOptions{MaxStreams: 2}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
		<-release
		return echo(ctx, req)
	}})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := r.client.Call(t.Context(), &Request{Method: "M"}); err != nil {
				t.Error(err)
			}
		})
	}
	for r.server.InFlight() < 2 {
		if _, err := r.client.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.client.Call(t.Context(), &Request{Method: "M"})
	wantCallError(t, err, frame.ExecutedNo, PhaseQueue, ErrTooManyStreams)
	close(release)
	wg.Wait()
}

// Callers beyond the queue's bound wait; all get through.
func TestQueueIsBounded(t *testing.T) {
	modes(t, func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig) {
		r := connect(t, ClientOptions{QueueBytes: 100}, ServerOptions{QueueBytes: 100})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				body := bytes.Repeat([]byte{byte(i)}, 10_000*(i%20))
				reply, err := r.client.Call(t.Context(), &Request{Method: "M", Body: body})
				if err != nil || !bytes.Equal(reply.Body, body) {
					t.Errorf("%d bytes of %d: %v", len(reply.Body), len(body), err)
				}
			})
		}
		wg.Wait()
	})
}
