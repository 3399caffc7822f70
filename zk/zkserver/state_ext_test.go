// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// The state tells what clients did, to the last field that can be known.
func TestState(t *testing.T) {
	clock := newSteppedClock()
	s, addr := startServer(t, zkserver.Options{Clock: clock, Epoch: 7, MaxUnreadBytes: -1})
	started := clock.Now()
	clock.step(1500 * time.Millisecond)
	c := open(t, addr, 10*time.Second)
	c.create("/e1", 1)
	c.create("/e2", 1)
	c.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/e1", Watch: true}, nil)
	clock.step(2 * time.Second)
	quiet := dialRaw(t, addr)
	var st zkserver.State
	waitFor(t, "second connection, and the owner's count", func() bool {
		st = s.State()
		return st.ConnectionCount == 2 && st.Traffic.Sent == 4
	})
	want := zkserver.State{
		Version: st.Version, Mode: "standalone", Addresses: []string{addr}, ClientPort: st.ClientPort,
		StartedAt: started, UptimeMS: 3500,
		Zxid: 7<<32 + 3, Znodes: 6, Ephemerals: 2, DataBytes: st.DataBytes, Watches: 1,
		SessionCount: 1, ConnectionCount: 2, PendingConnections: 1,
		Counts:    zkserver.CountState{Handshakes: 1},
		Limits:    st.Limits,
		OpenFiles: st.OpenFiles, MaxOpenFiles: st.MaxOpenFiles,
		Traffic:  st.Traffic,
		Sessions: []zkserver.SessionState{{ID: zkserver.Hex(c.id), Peer: c.nc.LocalAddr().String(), TimeoutMS: 10000, ExpiresAt: started.Add(11500 * time.Millisecond), Ephemerals: 2}},
		Connections: []zkserver.ConnectionState{
			{
				Peer: c.nc.LocalAddr().String(), ConnectedAt: started.Add(1500 * time.Millisecond), SessionID: zkserver.Hex(c.id), TimeoutMS: 10000,
				Received: 4, Sent: 4, LastOp: "GETD", LastXid: 3, LastZxid: 7<<32 + 3, LastReplyMS: 1500, Latency: zkserver.MeasureState{Count: 4},
			},
			{Peer: quiet.nc.LocalAddr().String(), ConnectedAt: started.Add(3500 * time.Millisecond), LastZxid: -1},
		},
	}
	if diff := cmp.Diff(st, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if !strings.HasSuffix(addr, fmt.Sprint(":", st.ClientPort)) || st.DataBytes < 12 || !strings.Contains(st.Version, "rollcall") {
		t.Errorf("port %d, %d bytes, version %q", st.ClientPort, st.DataBytes, st.Version)
	}
	if l := st.Limits; l.TickMS != 2000 || l.MaxSessionTimeoutMS != 40000 || l.MaxUnreadBytes != -1 || l.MaxConnections != 10000 || l.MaxWatchBytes != 1<<30 {
		t.Errorf("limits: got %+v, want the defaults, and no limit of unread bytes", l)
	}
	if tr := st.Traffic; tr.Received != 4 || tr.Replies != 4 || tr.Latency.Count != 4 || tr.Reads.Count != 1 || tr.Writes.Count != 3 ||
		tr.ReplyBytes == 0 || tr.MinReplyBytes > tr.LastReplyBytes || tr.LastReplyBytes > tr.MaxReplyBytes {
		t.Errorf("traffic: got %+v", tr)
	}
}

// A state is the same behind JSON, and ids and zxids are as tools write them.
func TestStateAsJSON(t *testing.T) {
	s, addr := startServer(t, zkserver.Options{DataDir: t.TempDir()})
	c := open(t, addr, 10*time.Second)
	c.create("/e", 1)
	st := s.State()
	text, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back zkserver.State
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(st, back); diff != "" {
		t.Errorf("(-before +behind):\n%s", diff)
	}
	if want := fmt.Sprintf(`"session_id":"0x%x"`, c.id); !strings.Contains(string(text), want) {
		t.Errorf("got %s, want %s in it", text, want)
	}
	for text, ok := range map[string]bool{`"0xffffffffffffffff"`: true, `"12"`: true, `"0x10000000000000000"`: false, `""`: false, `"x"`: false} {
		var h zkserver.Hex
		if err := json.Unmarshal([]byte(text), &h); (err == nil) != ok {
			t.Errorf("%s: got %v and %v, want ok %t", text, h, err, ok)
		}
	}
}

// The state of a server that is not served, or is over, tells that.
func TestStateOutOfService(t *testing.T) {
	fs := crashfs.New("data")
	k, err := tryKept(t, zkserver.Options{Store: store.Options{FS: fs}})
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, k.addr, 10*time.Second)
	c.create("/n", 0)
	before := k.State().Disk
	if before == nil || before.Segments != 1 || before.Snapshots != 1 || before.LogRecords != 2 || before.LogBytes == 0 ||
		before.Syncs.Count != 2 || before.LastSnapshot == nil || before.LastSnapshot.Znodes != 4 || before.LastSnapshot.Bytes != before.SnapshotBytes {
		t.Errorf("disk: got %+v, last %+v", before, before.LastSnapshot)
	}
	fs.FailAt(1, "", errors.New("out of order"))
	c.send(jute.OpSetData, &jute.SetDataRequest{Path: "/n", Version: -1})
	if err := <-k.ended; err == nil {
		t.Fatal("Serve: got nil, want why the data cannot be kept")
	}
	if st := k.State(); st.Error == "" || len(st.Addresses) != 0 || st.ClientPort != -1 || st.Connections == nil || st.Sessions == nil {
		t.Errorf("got %+v, want an error and no address", st)
	}
}
