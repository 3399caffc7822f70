// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// Whatever a server's connection refuses is told to its owner, and nothing else.
func TestOwnerIsToldOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		var s *ServerConn
		block := make(chan struct{})
		p, s, _ := dialServer(t, ServerOptions{
			MaxMessageBytes: 100, MaxMetadataBytes: 8, MaxStreams: 2,
			Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
				if string(req.Body) == "block" {
					<-block
				}
				return echo(ctx, req)
			},
			OnRefused: func(r Refusal) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprintf("%s %v %d %s", r.Method, r.Metadata, r.BodyBytes, r.Err.Reason))
				s.InFlight() // takes the connection's lock
			},
		}, &frame.Preface{})
		send := func(id uint64, flags frame.Flags, method, value, body string) {
			q := frame.Request{Method: []byte(method), Metadata: frame.Metadata{"k": value}, Body: []byte(body)}
			p.sendFrame(frame.TypeRequest, flags, id, frame.AppendRequest(nil, &q))
		}
		long := strings.Repeat("x", 101)

		send(1, 0, "Big", "1", long)
		p.wantError(1) //nolint:errcheck // it fails the test itself
		send(2, frame.FlagMore, "Pieces", "2", long[:60])
		p.sendFrame(frame.TypeData, 0, 2, []byte(long[60:]))
		p.wantError(2) //nolint:errcheck // it fails the test itself
		send(3, 0, "Metadata", "12345", "m")
		p.wantError(3) //nolint:errcheck // it fails the test itself
		p.sendFrame(frame.TypeRequest, frame.FlagMore, 4, frame.AppendRequest(nil, &frame.Request{Method: []byte("Late"), Remaining: 1, Body: []byte("la")}))
		time.Sleep(time.Nanosecond)
		p.sendFrame(frame.TypeData, 0, 4, []byte("te"))
		p.wantError(4)                   //nolint:errcheck // it fails the test itself
		send(5, 0, "Fine", "5", "block") // neither this
		send(6, frame.FlagMore, "Cancelled", "6", "half")
		send(7, 0, "Crowd", "7", "crowd")
		p.wantError(7)                           //nolint:errcheck // it fails the test itself
		p.sendFrame(frame.TypeCancel, 0, 6, nil) // nor this
		send(8, frame.FlagMore, "Drained", "8", "half")
		synctest.Wait()
		s.Refuse()
		send(9, 0, "Draining", "9", "late")
		p.wantError(9) //nolint:errcheck // it fails the test itself
		p.sendFrame(frame.TypeData, 0, 8, []byte(" and half"))
		p.wantError(8) //nolint:errcheck // it fails the test itself
		close(block)
		p.wantReply(5, "block")
		synctest.Wait()

		want := []string{
			"Big map[k:1] 101 " + ReasonMessageTooLarge,
			"Pieces map[k:2] 101 " + ReasonMessageTooLarge,
			"Metadata map[] 1 " + ReasonMetadataTooLarge,
			"Late map[] 4 " + ReasonDeadline,
			"Crowd map[k:7] 5 " + ReasonTooManyStreams,
			"Draining map[k:9] 4 " + ReasonDraining,
			"Drained map[k:8] 13 " + ReasonDraining,
		}
		if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}

// A method that panics with each call writes a line, with its stack, not a line
// for each call, though its clients have connections of their own.
func TestPanicsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		limiter := loglimit.New(slog.New(slog.NewJSONHandler(&log, nil)), nil)
		for range 3 {
			r := memRig(t, ClientOptions{}, ServerOptions{Log: limiter, Handler: func(context.Context, *ServerRequest) (Reply, error) {
				panic("boom")
			}})
			for range 3 {
				_, err := r.client.Call(t.Context(), &Request{Method: "M"})
				wantRemote(t, err, frame.CodeInternal, ReasonPanic, frame.ExecutedYes)
			}
			r.close()
		}
		got := log.String()
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, `"panic":"boom"`) || !strings.Contains(got, "TestPanicsDoNotFillTheLog") {
			t.Errorf("the log has\n%s", got)
		}
	})
}
