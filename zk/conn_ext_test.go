// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// What a server must not send costs the connection, and whatever waits for an
// answer fails as perhaps executed.
func TestBadFrames(t *testing.T) {
	header := jute.ReplyHeader{Xid: 77}
	auth := jute.ReplyHeader{Xid: jute.XidAuth}
	note := jute.ReplyHeader{Xid: jute.XidNotification}
	tests := []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"wrong xid", jute.AppendFrame(nil, header.Append), "xid 77, xid 1 is expected"},
		{"negative length", []byte{0xff, 0xff, 0xff, 0xf0}, "frame of -16 bytes"},
		{"long length", []byte{0, 0, 16, 1}, "frame of 4097 bytes was announced, 4096 are accepted"},
		{"short header", []byte{0, 0, 0, 4, 0, 0, 0, 1}, "reply header"},
		{"half a frame", []byte{0, 0, 0, 40, 0}, "unexpected EOF"},
		{"half a length", []byte{0, 0}, "unexpected EOF"},
		{"auth out of place", jute.AppendFrame(nil, auth.Append), "not asked for"},
		{"bad notification", jute.AppendFrame(nil, note.Append), "notification"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fake) {
				c := f.client(zk.Options{MaxPacketBytes: 4096})
				p, _ := f.session(1, time.Second)
				done := get(t.Context(), c, "/a")
				p.expect(jute.OpGetData, &jute.PathWatchRequest{})
				p.raw(tt.bytes)
				if strings.HasPrefix(tt.name, "half") {
					p.Close()
				}
				err := <-done
				wantError(t, err, zk.ErrConnectionLoss, "getData", "/a", true)
				if !strings.Contains(err.Error(), "may have been executed") {
					t.Errorf("error %q does not say that the request may have been executed", err)
				}
				got := await(t, c, "down", isDown)
				if !strings.Contains(got.LastErr.Error(), tt.want) {
					t.Errorf("LastErr = %v, want one with %q", got.LastErr, tt.want)
				}
				if _, req := f.session(1, time.Second); req.SessionID != 1 {
					t.Errorf("handshake %+v, want one for session 1", req)
				}
			})
		})
	}
}

// An answer that nobody waits for is a violation too.
func TestUnexpectedAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		p.send(&jute.ReplyHeader{Xid: 1})
		p.gone()
		if got := await(t, c, "down", isDown); !errors.Is(got.LastErr, zk.ErrProtocol) {
			t.Errorf("LastErr = %v, want ErrProtocol", got.LastErr)
		}
	})
}

// A body that cannot be read fails its call only.
func TestBadBody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		done := get(t.Context(), c, "/a")
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 1, &jute.ErrorResponse{Err: 1 << 30})
		wantError(t, <-done, zk.ErrProtocol, "getData", "/a", true)
		done = get(t.Context(), c, "/a")
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 1, &jute.GetDataResponse{})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A multi whose results do not match its operations fails as such.
func TestMultiMiscounted(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		done := make(chan error, 1)
		go func() {
			_, err := c.Multi(t.Context(), zk.CheckOp("/a", 0))
			done <- err
		}()
		p.answer(p.expect(jute.OpMulti, &jute.MultiRequest{}), 1, &jute.MultiResponse{})
		wantError(t, <-done, zk.ErrProtocol, "multi", "", true)
	})
}

// An idle client pings every third of the timeout; a server that sends nothing
// for two thirds is left.
func TestPingsAndMuteServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, 9*time.Second)
		start := time.Now()
		for i := range 3 {
			h := p.expect(jute.OpPing, &jute.Empty{})
			if got, want := time.Since(start), time.Duration(i+1)*3*time.Second; got != want || h.Xid != jute.XidPing {
				t.Errorf("ping %d, xid %d, after %v, want %v", i, h.Xid, got, want)
			}
			p.answer(h, 1)
		}
		last := time.Now()
		p.gone()
		if got, want := time.Since(last), 6*time.Second; got != want {
			t.Errorf("left after %v of silence, want %v", got, want)
		}
		if got := await(t, c, "down", isDown); !strings.Contains(got.LastErr.Error(), "nothing was received for 6s") {
			t.Errorf("LastErr = %v", got.LastErr)
		}
		await(t, c, "perhaps expired", func(s zk.Session) bool {
			go func() { // every attempt is accepted, and hangs
				select {
				case conn := <-f.conns:
					conn.Read(make([]byte, 100)) //nolint:errcheck // whatever it says
					<-t.Context().Done()
					conn.Close()
				case <-t.Context().Done():
				}
			}()
			return strings.Contains(s.LastErr.Error(), "probably expired")
		})
		if got := c.Session(); got.State != zk.StateConnecting || got.ID != 1 {
			t.Errorf("Session = %+v, want connecting: only a server can say that it has expired", got)
		}
	})
}

// An operation that the server does not know fails as such, and the connection
// that the server closes is replaced.
func TestUnknownOperation(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		done := make(chan error, 1)
		go func() {
			_, err := c.AddWatch(t.Context(), "/a", zk.Persistent)
			done <- err
		}()
		p.refuse(p.expect(jute.OpAddWatch, &jute.PathModeRequest{}), jute.ErrUnimplemented)
		p.Close()
		wantError(t, <-done, zk.ErrUnimplemented, "addWatch", "/a", true)
		f.session(1, time.Second)
		await(t, c, "connected", isConnected)
	})
}

// A call whose context ends returns at once; its answer is discarded when it
// comes and the next call gets its own.
func TestCancel(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{MaxQueued: 2})
		ctx, cancel := context.WithCancel(t.Context())
		unsent := []<-chan error{get(ctx, c, "/a"), get(ctx, c, "/a")}
		synctest.Wait()
		wantError(t, <-get(t.Context(), c, "/b"), zk.ErrQueueFull, "getData", "/b", false)
		cancel()
		for _, done := range unsent {
			wantError(t, <-done, context.Canceled, "getData", "/a", false)
		}
		p, _ := f.session(1, time.Second)
		ctx, cancel = context.WithCancel(t.Context())
		sent := get(ctx, c, "/c")
		first := p.expect(jute.OpGetData, &jute.PathWatchRequest{})
		cancel()
		wantError(t, <-sent, context.Canceled, "getData", "/c", true)
		type result struct {
			data []byte
			err  error
		}
		done := make(chan result, 1)
		go func() {
			data, _, err := c.Get(t.Context(), "/d")
			done <- result{data, err}
		}()
		var req jute.PathWatchRequest
		second := p.expect(jute.OpGetData, &req)
		p.answer(first, 1, &jute.GetDataResponse{Data: []byte("late")})
		p.answer(second, 1, &jute.GetDataResponse{Data: []byte("mine")})
		if got := <-done; got.err != nil || string(got.data) != "mine" || req.Path != "/d" {
			t.Errorf("Get = %q, %v, want mine", got.data, got.err)
		}
	})
}

// Thousands of calls that leave the queue do not stay in it.
func TestCancelMany(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{MaxQueued: 100})
		kept := get(t.Context(), c, "/kept")
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			var left []<-chan error
			for range 99 {
				left = append(left, get(ctx, c, "/left"))
			}
			synctest.Wait()
			cancel()
			for _, done := range left {
				wantError(t, <-done, context.Canceled, "getData", "/left", false)
			}
		}
		p, _ := f.session(1, time.Second)
		var req jute.PathWatchRequest
		p.answer(p.expect(jute.OpGetData, &req), 1, &jute.GetDataResponse{})
		if err := <-kept; err != nil || req.Path != "/kept" {
			t.Errorf("Get %q: %v", req.Path, err)
		}
	})
}

// Requests that wait are sent in order once a connection is there, those that
// were written are not sent again.
func TestQueueAcrossConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		written := get(t.Context(), c, "/written")
		p.expect(jute.OpGetData, &jute.PathWatchRequest{})
		p.Close()
		wantError(t, <-written, zk.ErrConnectionLoss, "getData", "/written", true)
		var waiting []<-chan error
		for _, path := range []string{"/1", "/2", "/3"} {
			waiting = append(waiting, get(t.Context(), c, path))
			synctest.Wait()
		}
		p, _ = f.session(1, time.Second)
		for i, want := range []string{"/1", "/2", "/3"} {
			var req jute.PathWatchRequest
			p.answer(p.expect(jute.OpGetData, &req), 1, &jute.GetDataResponse{})
			if err := <-waiting[i]; err != nil || req.Path != want {
				t.Errorf("Get %q: %v, want %q", req.Path, err, want)
			}
		}
	})
}

// Close asks the server to end the session and leaves a mute one after a second.
func TestCloseMuteServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Hour)
		pending := get(t.Context(), c, "/a")
		p.expect(jute.OpGetData, &jute.PathWatchRequest{})
		start := time.Now()
		done := closing(c)
		p.expect(jute.OpCloseSession, &jute.Empty{})
		<-done
		if got := time.Since(start); got != time.Second {
			t.Errorf("Close took %v, want 1s", got)
		}
		wantError(t, <-pending, zk.ErrClosed, "getData", "/a", true)
	})
}

// Close does not wait where there is nothing to wait for, and calls in the queue
// fail unsent.
func TestCloseWithoutConnection(t *testing.T) {
	states := map[string]func(f *fake){
		"dialling":    func(*fake) {},
		"handshaking": func(f *fake) { f.accept().hello() },
		"pausing":     func(f *fake) { f.accept().Close() },
	}
	for name, reach := range states {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fake) {
				c := f.client(zk.Options{BackoffMin: time.Minute, BackoffMax: time.Minute, ConnectTimeout: time.Minute})
				waiting := get(t.Context(), c, "/a")
				reach(f)
				synctest.Wait()
				start := time.Now()
				c.Close()
				if got := time.Since(start); got != 0 {
					t.Errorf("Close took %v", got)
				}
				wantError(t, <-waiting, zk.ErrClosed, "getData", "/a", false)
			})
		})
	}
}

// Connected tells why there is no connection.
func TestConnectedGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.setDown("zoo:2181")
		c := f.client(zk.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Connected(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "zoo:2181: connection refused") {
			t.Errorf("Connected: %v, want the deadline and the refusal", err)
		}
	})
}
