// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// startHooked starts a server that asks f about every request.
func startHooked(t *testing.T, f hook.Func) (s *zkserver.Server, addr string) {
	t.Helper()
	var slot hook.Slot
	slot.Set(f)
	return startServerIn(hook.NewContext(context.Background(), &slot), t, zkserver.Options{})
}

// hooked starts a server that does v to the create of /fault.
func hooked(t *testing.T, v hook.Verdict) (s *zkserver.Server, c, other *rawConn, done chan struct{}) {
	t.Helper()
	done = make(chan struct{}, 10)
	v.Done = func() { done <- struct{}{} }
	s, addr := startHooked(t, func(r *hook.Request) hook.Verdict {
		if r.Op == jute.OpCreate && r.Paths[0] == "/fault" {
			return v
		}
		return hook.Verdict{}
	})
	return s, open(t, addr, 10*time.Second), open(t, addr, 10*time.Second), done
}

// Whatever becomes of a request, what was asked before it in the same burst is
// done and answered first, and other connections are served.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name           string
		verdict        hook.Verdict
		answer         jute.ErrCode // of the request, with which the connection goes on
		applied, alive bool         // the request, the session
	}{
		{"fail", hook.Verdict{Fault: hook.Fail, Err: jute.ErrNoAuth}, jute.ErrNoAuth, false, true},
		{"drop", hook.Verdict{Fault: hook.Drop}, 0, false, true},
		{"cut", hook.Verdict{Fault: hook.Cut}, 0, false, true},
		{"cut after", hook.Verdict{Fault: hook.CutAfter}, 0, true, true},
		{"expire", hook.Verdict{Fault: hook.Expire}, 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, other, done := hooked(t, tt.verdict)
			burst := request(1, jute.OpCreate, newNode("/before", 0))
			burst = append(burst, request(2, jute.OpExists, &jute.PathWatchRequest{Path: "/before"})...)
			burst = append(burst, request(3, jute.OpCreate, newNode("/fault", 0))...)
			burst = append(burst, request(4, jute.OpCreate, newNode("/behind", 0))...)
			burst = append(burst, request(jute.XidPing, jute.OpPing, nil)...)
			c.write(burst)
			for xid := range int32(2) {
				if m := c.message(); m.Xid != xid+1 || m.Err != 0 {
					t.Errorf("got xid %d and %v, want %d and ok", m.Xid, m.Err, xid+1)
				}
			}
			<-done
			if got := other.exists("/fault"); got != tt.applied {
				t.Errorf("/fault exists: got %t, want %t", got, tt.applied)
			}
			if got := len(s.Sessions()) == 2; got != tt.alive {
				t.Errorf("the session lives: got %t, want %t", got, tt.alive)
			}
			switch {
			case tt.answer != 0:
				if m := c.message(); m.Xid != 3 || m.Err != tt.answer || len(m.body) > 0 {
					t.Errorf("got xid %d, %v and %d bytes, want 3, %v and none", m.Xid, m.Err, len(m.body), tt.answer)
				}
				pings := 0
				for range 2 { // a ping may come ahead
					if m := c.message(); m.Xid == jute.XidPing {
						pings++
					}
				}
				if pings != 1 || !other.exists("/behind") {
					t.Errorf("got %d pings, want 1 and /behind there", pings)
				}
				return
			case tt.verdict.Fault == hook.Drop:
				if _, err := c.nextWithin(50 * time.Millisecond); !isTimeout(err) {
					t.Errorf("got %v, want silence", err)
				}
				s.CutConnection(c.id)
			}
			c.wantEOF()
			if other.exists("/behind") {
				t.Error("what stood behind was carried out")
			}
		})
	}
}

// A request that a hook holds back holds back those behind it, in their order,
// and nobody else; the end of its connection ends the wait.
func TestHookHoldsBack(t *testing.T) {
	held, release := make(chan *hook.Request, 10), make(chan struct{})
	s, addr := startHooked(t, func(r *hook.Request) hook.Verdict {
		if r.Op == jute.OpCreate && r.Paths[0] == "/held" {
			held <- r
			select {
			case <-release:
			case <-r.Ended:
			}
		}
		return hook.Verdict{}
	})
	c, lost, other := open(t, addr, 10*time.Second), open(t, addr, 10*time.Second), open(t, addr, 10*time.Second)
	lost.send(jute.OpCreate, newNode("/held", 0))
	<-held
	s.CutConnection(lost.id)
	lost.wantEOF()
	c.write(append(request(1, jute.OpCreate, newNode("/held", 0)), request(2, jute.OpCreate, newNode("/held/behind", 0))...))
	r := <-held
	if got, want := []any{r.Session, r.Xid, r.Op}, []any{c.id, int32(1), jute.OpCreate}; !reflect.DeepEqual(got, want) {
		t.Errorf("session, xid and op: got %v, want %v", got, want)
	}
	if other.exists("/held") {
		t.Error("/held is there, of a request that is held back or of a connection that ended")
	}
	close(release)
	for xid := range int32(2) {
		if m := c.message(); m.Xid != xid+1 || m.Err != 0 {
			t.Errorf("got xid %d and %v, want %d and ok", m.Xid, m.Err, xid+1)
		}
	}
}

// A hook sees every operation, and the nodes that it names.
func TestHookSees(t *testing.T) {
	seen := map[jute.OpCode]*hook.Request{}
	_, addr := startHooked(t, func(r *hook.Request) hook.Verdict {
		seen[r.Op] = r
		return hook.Verdict{Fault: hook.Fail, Err: jute.ErrNoAuth}
	})
	c := open(t, addr, 10*time.Second)
	for _, op := range jute.Ops() {
		c.fails(jute.ErrNoAuth, op.Code, op.NewRequest())
		if r := seen[op.Code]; r == nil || reflect.TypeOf(r.Body) != reflect.TypeOf(op.NewRequest()) {
			t.Errorf("%s: got %+v, want its request", op.Name, r)
		}
	}
	for _, tt := range []struct {
		op   jute.OpCode
		req  jute.Record
		want []string
	}{
		{jute.OpCreate, newNode("/a", 0), []string{"/a"}},
		{jute.OpCreateTTL, &jute.CreateTTLRequest{CreateRequest: *newNode("/a", 0)}, []string{"/a"}},
		{jute.OpDelete, &jute.PathVersionRequest{Path: "/a"}, []string{"/a"}},
		{jute.OpGetChildren2, &jute.PathWatchRequest{Path: "/a"}, []string{"/a"}},
		{jute.OpAddWatch, &jute.PathModeRequest{Path: "/a"}, []string{"/a"}},
		{jute.OpSetData, &jute.SetDataRequest{Path: "/a"}, []string{"/a"}},
		{jute.OpSetACL, &jute.SetACLRequest{Path: "/a"}, []string{"/a"}},
		{jute.OpSync, &jute.Path{Path: "/a"}, []string{"/a"}},
		{jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{
			{Op: jute.OpCheck, Request: &jute.PathVersionRequest{Path: "/a"}}, {Op: jute.OpCreate, Request: newNode("/b", 0)},
		}}, []string{"/a", "/b"}},
		{jute.OpMultiRead, &jute.MultiReadRequest{Ops: []jute.MultiReadOp{
			{Op: jute.OpGetData, Request: jute.PathWatchRequest{Path: "/a"}},
		}}, []string{"/a"}},
		{jute.OpWhoAmI, &jute.Empty{}, nil},
		{jute.OpGetData, raw{1}, nil},
		{999, &jute.Empty{}, nil},
	} {
		c.fails(jute.ErrNoAuth, tt.op, tt.req)
		if got := seen[tt.op].Paths; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v %+v: got paths %q, want %q", tt.op, tt.req, got, tt.want)
		}
	}
}
