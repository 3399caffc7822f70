// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// What a client says of itself first, and when it comes back.
func TestHandshake(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{SessionTimeout: 7 * time.Second})
		p, req := f.session(0x42, 4*time.Second)
		if req.SessionID != 0 || req.LastZxidSeen != 0 || req.TimeoutMillis != 7000 || len(req.Password) != 16 || !req.HasReadOnly || req.ReadOnly {
			t.Errorf("first handshake %+v", req)
		}
		if err := c.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := c.Session()
		want := zk.Session{State: zk.StateConnected, ID: 0x42, Timeout: 4 * time.Second, Server: "zoo:2181", Since: got.Since, Generation: 1}
		if got != want {
			t.Errorf("Session = %+v, want %+v", got, want)
		}
		// The largest zxid of a reply counts; those of pings, notifications and
		// failures outside the order do not.
		for _, zxid := range []int64{7, 9, 8, -1} {
			done := get(t.Context(), c, "/a")
			h := p.expect(jute.OpGetData, &jute.PathWatchRequest{})
			p.notify(jute.EventNodeCreated, "/x")
			p.send(&jute.ReplyHeader{Xid: jute.XidPing, Zxid: 99})
			p.answer(h, zxid, &jute.GetDataResponse{})
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		p.Close()
		p, req = f.session(0x42, 4*time.Second)
		if req.SessionID != 0x42 || req.LastZxidSeen != 9 || !bytes.Equal(req.Password, password) {
			t.Errorf("second handshake %+v, want session 0x42, its password and zxid 9", req)
		}
		await(t, c, "connected", isConnected)
		if got := c.Session().Generation; got != 1 {
			t.Errorf("generation %d, want 1", got)
		}
		done := closing(c)
		p.bye()
		<-done
	})
}

// A server that says that the session has expired is asked for a new one at
// once, as if nothing had been seen.
func TestExpiredHandshake(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		done := get(t.Context(), c, "/a")
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 5, &jute.GetDataResponse{})
		<-done //nolint:errcheck // what comes of it is looked at elsewhere
		p.Close()
		p = f.accept()
		p.hello()
		p.sayExpired()
		expired := time.Now()
		_, req := f.session(2, time.Second)
		if req.SessionID != 0 || req.LastZxidSeen != 0 || !time.Now().Equal(expired) {
			t.Errorf("handshake %+v %v after the expiry, want one for a new session at once", req, time.Since(expired))
		}
		if got := await(t, c, "connected", isConnected); got.Generation != 2 || got.ID != 2 {
			t.Errorf("Session = %+v, want generation 2 and id 2", got)
		}
	})
}

// A server that hands out another session than the one asked for has forgotten
// that one.
func TestOtherSessionGranted(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{})
		p, _ := f.session(1, time.Second)
		await(t, c, "connected", isConnected)
		p.Close()
		f.session(2, time.Second)
		if got := await(t, c, "new", func(s zk.Session) bool { return s.ID == 2 }); got.Generation != 2 {
			t.Errorf("Session = %+v, want generation 2", got)
		}
	})
}

// Handshakes that cannot be used end the attempt with an error that says why,
// and the next attempt comes after a pause.
func TestBadHandshakes(t *testing.T) {
	expired := jute.ConnectResponse{Password: make([]byte, 16)}
	zero := jute.ConnectResponse{TimeoutMillis: 1000, Password: make([]byte, 16)}
	tests := []struct {
		name  string
		reply []byte // the connection is closed behind it
		want  string
	}{
		{"silence", nil, "without answering"},
		{"half a length", []byte{0, 0}, "unexpected EOF"},
		{"half a frame", []byte{0, 0, 0, 37, 0, 0}, "unexpected EOF"},
		{"negative length", []byte{0xff, 0xff, 0xff, 0xff}, "frame of -1 bytes"},
		{"long length", []byte{0x7f, 0xff, 0xff, 0xff}, "frame of 2147483647 bytes"},
		{"short frame", []byte{0, 0, 0, 4, 0, 0, 0, 0}, "int at offset 4"},
		{"no session granted", jute.AppendFrame(nil, expired.Append), "no session was granted"},
		{"session id 0", jute.AppendFrame(nil, zero.Append), "session id is 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fake) {
				c := f.client(zk.Options{})
				p := f.accept()
				p.hello()
				if tt.reply != nil {
					p.raw(tt.reply)
				}
				p.Close()
				got := await(t, c, "failed", func(s zk.Session) bool { return s.LastErr != nil })
				if got.State != zk.StateConnecting || !strings.Contains(got.LastErr.Error(), tt.want) || !strings.Contains(got.LastErr.Error(), "zoo:2181") {
					t.Errorf("Session = %+v, want an error with %q and the server's name", got, tt.want)
				}
				f.session(1, time.Second)
				await(t, c, "connected", isConnected)
			})
		})
	}
}

// A server that accepts and never answers costs ConnectTimeout, no more.
func TestMuteHandshake(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{ConnectTimeout: 300 * time.Millisecond})
		start := time.Now()
		p := f.accept()
		p.hello()
		p.gone()
		if got := time.Since(start); got != 300*time.Millisecond {
			t.Errorf("the attempt took %v, want 300ms", got)
		}
		got := await(t, c, "failed", func(s zk.Session) bool { return s.LastErr != nil })
		if !strings.Contains(got.LastErr.Error(), "deadline exceeded") {
			t.Errorf("LastErr = %v, want a deadline", got.LastErr)
		}
	})
}

// The identities come before anything else, and the session counts as connected
// once they are accepted.
func TestAuthComesFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{Auths: []zk.Auth{{"digest", []byte("a:b")}, {"digest", []byte("c:d")}}})
		done := get(t.Context(), c, "/a")
		p, _ := f.session(1, time.Second)
		for _, want := range []string{"a:b", "c:d"} {
			var req jute.AuthRequest
			h := p.expect(jute.OpAuth, &req)
			if h.Xid != jute.XidAuth || req.Scheme != "digest" || string(req.Auth) != want {
				t.Errorf("auth %+v %+v, want digest %s", h, req, want)
			}
		}
		synctest.Wait()
		if got := c.Session(); got.State != zk.StateConnecting {
			t.Errorf("Session = %+v before the identities are accepted", got)
		}
		p.send(&jute.ReplyHeader{Xid: jute.XidAuth})
		p.send(&jute.ReplyHeader{Xid: jute.XidAuth})
		p.answer(p.expect(jute.OpGetData, &jute.PathWatchRequest{}), 1, &jute.GetDataResponse{})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAuthRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{Auths: []zk.Auth{{"digest", []byte("a:b")}}})
		done := get(t.Context(), c, "/a")
		p, _ := f.session(1, time.Second)
		p.expect(jute.OpAuth, &jute.AuthRequest{})
		p.send(&jute.ReplyHeader{Xid: jute.XidAuth, Err: jute.ErrAuthFailed})
		wantError(t, <-done, zk.ErrAuthFailed, "getData", "/a", false)
		time.Sleep(time.Hour)
		if n := len(f.dials()); n != 1 || c.Session().State != zk.StateAuthFailed {
			t.Errorf("%d dials, Session = %+v, want one dial and StateAuthFailed", n, c.Session())
		}
	})
}

// When every server closes handshakes without a byte for longer than the
// session timeout, a new session is asked for; once granted, the old one has
// expired. A server that is silent to both is only not serving: the session is
// kept.
func TestWipedServers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{BackoffMax: 100 * time.Millisecond}, "a:1", "b:1")
		p, _ := f.session(1, 2*time.Second)
		await(t, c, "connected", isConnected)
		p.Close()
		start := time.Now()
		var kinds []int64
		for time.Since(start) < 4*time.Second {
			p := f.accept()
			req := p.hello()
			p.Close()
			if req.SessionID == 0 && time.Since(start) < 2*time.Second {
				t.Fatalf("a new session is asked for after %v", time.Since(start))
			}
			if time.Since(start) > 2500*time.Millisecond {
				kinds = append(kinds, req.SessionID)
			}
		}
		if !slices.Contains(kinds, 0) || !slices.Contains(kinds, 1) {
			t.Errorf("sessions asked for %v, want the old and a new one in turn", kinds)
		}
		if got := c.Session(); got.Generation != 1 || got.ID != 1 || !strings.Contains(got.LastErr.Error(), "probably expired") {
			t.Errorf("Session = %+v, want the old one, probably expired", got)
		}
		for {
			p := f.accept()
			if req := p.hello(); req.SessionID == 0 {
				if req.LastZxidSeen != 0 {
					t.Errorf("handshake %+v, want zxid 0", req)
				}
				p.welcome(2, 2*time.Second)
				break
			}
			p.Close()
		}
		if got := await(t, c, "connected", isConnected); got.Generation != 2 || got.ID != 2 {
			t.Errorf("Session = %+v, want a new one", got)
		}
	})
}

// One server that refuses connections may hold the session still.
func TestSilentAndDownServers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		c := f.client(zk.Options{BackoffMax: 100 * time.Millisecond}, "a:1", "b:1")
		p, _ := f.session(1, 2*time.Second)
		await(t, c, "connected", isConnected)
		f.setDown("b:1")
		p.Close()
		for start := time.Now(); time.Since(start) < 20*time.Second; {
			p := f.accept()
			if req := p.hello(); req.SessionID != 1 {
				t.Fatalf("handshake %+v, want one for session 1", req)
			}
			p.Close()
		}
		f.session(1, 2*time.Second)
		if got := await(t, c, "connected", isConnected); got.Generation != 1 {
			t.Errorf("Session = %+v, want generation 1", got)
		}
	})
}

// Pauses grow with every round over the servers, up to the largest, and only an
// established session makes them small again.
func TestBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.setDown("a:1", "b:1")
		c := f.client(zk.Options{BackoffMin: 50 * time.Millisecond, BackoffMax: 400 * time.Millisecond}, "a:1", "b:1")
		pauses := func(from int) (list []time.Duration) {
			log := f.dials()[from:]
			for i := 1; i < len(log); i++ {
				list = append(list, log[i].at.Sub(log[i-1].at).Round(time.Millisecond))
			}
			return list
		}
		const ms = time.Millisecond
		time.Sleep(2 * time.Second)
		want := []time.Duration{50 * ms, 50 * ms, 100 * ms, 100 * ms, 200 * ms, 200 * ms, 400 * ms, 400 * ms, 400 * ms}
		if got := pauses(0); !slices.Equal(got, want) {
			t.Errorf("pauses %v, want %v", got, want)
		}
		log := f.dials()
		for i := 1; i < len(log); i++ {
			if log[i].address == log[i-1].address {
				t.Errorf("%s twice in a row, want the servers in turn", log[i].address)
			}
		}
		f.setDown()
		p := f.accept()
		p.hello()
		p.Close() // accepted, but no session
		p, _ = f.session(1, time.Second)
		await(t, c, "connected", isConnected)
		if got := pauses(0); got[len(got)-1] != 400*ms {
			t.Errorf("pauses %v, want the last to be 400ms: no session was established", got)
		}
		from := len(f.dials())
		f.setDown("a:1", "b:1")
		p.Close()
		time.Sleep(120 * ms)
		if got, want := pauses(from), []time.Duration{50 * ms}; !slices.Equal(got, want) {
			t.Errorf("pauses %v after an established session, want %v", got, want)
		}
	})
}

func TestServersInRandomOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.setDown("a:1", "b:1", "c:1")
		given := []string{"a:1", "b:1", "c:1"}
		calls := 0
		random := func() float64 {
			if calls++; calls < len(given) {
				return 0
			}
			return 0.5
		}
		f.client(zk.Options{Rand: random}, given...)
		synctest.Wait()
		if given[0] != "a:1" {
			t.Error("the caller's slice was shuffled")
		}
		if log := f.dials(); len(log) != 1 || log[0].address != "b:1" {
			t.Errorf("dialled %v, want b:1", log)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		servers []string
		opts    zk.Options
		want    string
	}{
		{nil, zk.Options{}, "servers is empty"},
		{[]string{"a:1", "b"}, zk.Options{}, `servers[1] is "b"`},
		{[]string{":1"}, zk.Options{}, "the host is missing"},
		{[]string{"a:0"}, zk.Options{}, `port "0"`},
		{[]string{"a:x"}, zk.Options{}, `port "x"`},
		{[]string{"a:65536"}, zk.Options{}, `port "65536"`},
		{[]string{"a:1"}, zk.Options{SessionTimeout: -1}, "Options.SessionTimeout is -1ns"},
		{[]string{"a:1"}, zk.Options{SessionTimeout: 1 << 62}, "Options.SessionTimeout"},
		{[]string{"a:1"}, zk.Options{ConnectTimeout: time.Microsecond}, "Options.ConnectTimeout is 1µs"},
		{[]string{"a:1"}, zk.Options{BackoffMin: time.Second, BackoffMax: time.Millisecond}, "Options.BackoffMax is 1ms"},
		{[]string{"a:1"}, zk.Options{MaxPacketBytes: -1}, "Options.MaxPacketBytes is -1"},
		{[]string{"a:1"}, zk.Options{MaxQueued: -1}, "Options.MaxQueued is -1"},
		{[]string{"a:1"}, zk.Options{WatchQueue: -1}, "Options.WatchQueue is -1"},
		{[]string{"a:1"}, zk.Options{Auths: []zk.Auth{{}}}, "Options.Auths[0].Scheme is empty"},
	}
	for _, tt := range tests {
		c, err := zk.New(tt.servers, tt.opts)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%q, …): error %v, want one with %q", tt.servers, err, tt.want)
		}
	}
	// Everything that is wrong is told at once.
	_, err := zk.New([]string{"a:0", "b"}, zk.Options{SessionTimeout: -1, MaxQueued: -1, Auths: make([]zk.Auth, 2)})
	for _, want := range []string{"servers[0]", "servers[1]", "SessionTimeout", "MaxQueued", "Auths[0]", "Auths[1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q too", err, want)
		}
	}
}

// The default way to dial tries every address of a name.
func TestDialResolves(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			p := &peer{Conn: conn, t: t}
			p.hello()
			p.welcome(1, 10*time.Second)
			p.bye()
		}
		served <- err
	}()
	c, err := zk.New([]string{net.JoinHostPort("localhost", port)}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connected(testContext(t)); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if c, err = zk.New([]string{"no-such-host.invalid:1"}, zk.Options{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := await(t, c, "failed", func(s zk.Session) bool { return s.LastErr != nil })
	if _, ok := errors.AsType[*net.DNSError](got.LastErr); !ok {
		t.Errorf("LastErr = %v, want a *net.DNSError", got.LastErr)
	}
}
