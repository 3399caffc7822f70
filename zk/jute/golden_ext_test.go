// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packet is a header and a body in one record.
type packet struct{ parts []jute.Record }

func (p packet) Append(b []byte) []byte {
	for _, r := range p.parts {
		b = r.Append(b)
	}
	return b
}

func (p packet) Decode(d *jute.Decoder) {
	for _, r := range p.parts {
		r.Decode(d)
	}
}

func packetOf(parts ...jute.Record) packet { return packet{parts} }

// What Apache ZooKeeper 3.8.0 and its clients put on the wire.
var golden = []struct {
	name  string
	hex   string
	value jute.Record
	empty func() jute.Record
}{
	{
		"ping", "fffffffe 0000000b",
		&jute.RequestHeader{Xid: jute.XidPing, Op: jute.OpPing}, newRecord[jute.RequestHeader],
	},
	{
		"ping answer", "fffffffe 000000000000001b 00000000",
		&jute.ReplyHeader{Xid: jute.XidPing, Zxid: 0x1b}, newRecord[jute.ReplyHeader],
	},
	{
		"closeSession", "00000005 fffffff5",
		&jute.RequestHeader{Xid: 5, Op: jute.OpCloseSession}, newRecord[jute.RequestHeader],
	},
	{
		"getData /", "00000001 00000004 00000001 2f 00",
		packetOf(&jute.RequestHeader{Xid: 1, Op: jute.OpGetData}, &jute.PathWatchRequest{Path: "/"}),
		func() jute.Record { return packetOf(&jute.RequestHeader{}, &jute.PathWatchRequest{}) },
	},
	{
		"notification", "ffffffff ffffffffffffffff 00000000 00000002 00000003 00000002 2f61",
		packetOf(&jute.ReplyHeader{Xid: jute.XidNotification, Zxid: -1}, &jute.WatcherEvent{Type: jute.EventNodeDeleted, State: jute.StateSyncConnected, Path: "/a"}),
		func() jute.Record { return packetOf(&jute.ReplyHeader{}, &jute.WatcherEvent{}) },
	},
	{
		"auth", "fffffffc 00000064 00000000 00000006 646967657374 00000006 626f623a7077",
		packetOf(&jute.RequestHeader{Xid: jute.XidAuth, Op: jute.OpAuth}, &jute.AuthRequest{Scheme: "digest", Auth: []byte("bob:pw")}),
		func() jute.Record { return packetOf(&jute.RequestHeader{}, &jute.AuthRequest{}) },
	},
	{
		"create", "00000001 00000001 00000002 2f61 00000000 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000",
		packetOf(&jute.RequestHeader{Xid: 1, Op: jute.OpCreate}, &jute.CreateRequest{Path: "/a", Data: []byte{}, ACL: jute.WorldAnyone()}),
		func() jute.Record { return packetOf(&jute.RequestHeader{}, &jute.CreateRequest{}) },
	},
	{
		"handshake", "00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000 00",
		&jute.ConnectRequest{TimeoutMillis: 10000, Password: make([]byte, 16), HasReadOnly: true}, newRecord[jute.ConnectRequest],
	},
	{
		"handshake without read only", "00000000 0000000000000000 00002710 0000000000000000 ffffffff",
		&jute.ConnectRequest{TimeoutMillis: 10000}, newRecord[jute.ConnectRequest],
	},
	{
		"handshake answer", "00000000 00002710 010000082ba40000 00000010 000102030405060708090a0b0c0d0e0f 00",
		&jute.ConnectResponse{
			TimeoutMillis: 10000, SessionID: 0x010000082ba40000, HasReadOnly: true,
			Password: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		}, newRecord[jute.ConnectResponse],
	},
	{
		"session expired", "00000000000000000000000000000000 00000010 00000000000000000000000000000000 00",
		&jute.ConnectResponse{Password: make([]byte, 16), HasReadOnly: true}, newRecord[jute.ConnectResponse],
	},
	{
		"failed multi", "ffffffff 00 00000000 00000000 ffffffff 00 ffffff9b ffffff9b ffffffff 00 fffffffe fffffffe ffffffff 01 ffffffff",
		&jute.MultiResponse{Results: []jute.MultiResult{
			{Op: jute.OpError}, {Op: jute.OpError, Err: jute.ErrNoNode}, {Op: jute.OpError, Err: jute.ErrRuntimeInconsistency},
		}}, newRecord[jute.MultiResponse],
	},
	{
		"identities", "00000001 00000002 6970 00000009 3132372e302e302e31",
		&jute.WhoAmIResponse{Clients: []jute.ClientInfo{{Scheme: "ip", User: "127.0.0.1"}}}, newRecord[jute.WhoAmIResponse],
	},
	{"no SASL token", "ffffffff", &jute.SASLToken{}, newRecord[jute.SASLToken]},
	{
		"ephemerals", "00000001 00000004 2f636170",
		&jute.GetEphemeralsResponse{Ephemerals: []string{"/cap"}}, newRecord[jute.GetEphemeralsResponse],
	},
	{"all children", "00000002", &jute.GetAllChildrenNumberResponse{Total: 2}, newRecord[jute.GetAllChildrenNumberResponse]},
	{
		"multiRead", "00000004 00 ffffffff 00000001 2f 00 ffffffff 01 ffffffff",
		&jute.MultiReadRequest{Ops: []jute.MultiReadOp{{Op: jute.OpGetData, Request: jute.PathWatchRequest{Path: "/"}}}},
		newRecord[jute.MultiReadRequest],
	},
	{
		"multiRead answer", "00000004 00 00000000 00000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000" +
			"00000000 00000000 ffffffff 0000000000000000 00000000 00000000 0000000000000000" +
			"00000008 00 00000000 00000002 00000006 636f6e666967 00000005 71756f7461" +
			"ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff",
		&jute.MultiReadResponse{Results: []jute.MultiReadResult{
			{Op: jute.OpGetData, Data: []byte{}, Stat: jute.Stat{Aversion: -1}},
			{Op: jute.OpGetChildren, Children: []string{"config", "quota"}},
			{Op: jute.OpError, Err: jute.ErrNoNode},
		}}, newRecord[jute.MultiReadResponse],
	},
	{
		"createTTL", "00000002 2f61 ffffffff 00000000 00000005 000000ffffffffff",
		&jute.CreateTTLRequest{CreateRequest: jute.CreateRequest{Path: "/a", ACL: []jute.ACL{}, Flags: jute.FlagTTL}, TTLMillis: 1<<40 - 1},
		newRecord[jute.CreateTTLRequest],
	},
	{"empty multi", "ffffffff 01 ffffffff", &jute.MultiRequest{}, newRecord[jute.MultiRequest]},
	{
		"multi", "0000000d 00 ffffffff 00000002 2f61 00000007 ffffffff 01 ffffffff",
		&jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCheck, Request: &jute.PathVersionRequest{Path: "/a", Version: 7}}}},
		newRecord[jute.MultiRequest],
	},
}

func newRecord[T any, P interface {
	*T
	jute.Record
}]() jute.Record {
	return P(new(T))
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.hex)
			if got := tt.value.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("Append = %x, want %x", got, want)
			}
			got := tt.empty()
			d := jute.NewDecoder(want)
			got.Decode(&d)
			if d.Err() != nil || d.Len() != 0 {
				t.Fatalf("Decode: error %v, %d bytes left", d.Err(), d.Len())
			}
			if diff := cmp.Diff(got, tt.value, cmp.AllowUnexported(packet{})); diff != "" {
				t.Errorf("Decode differs (-got +want):\n%s", diff)
			}
		})
	}
}

func TestAppendFrame(t *testing.T) {
	h := jute.RequestHeader{Xid: jute.XidPing, Op: jute.OpPing}
	got := jute.AppendFrame([]byte{0xaa}, h.Append)
	if want := unhex(t, "aa 00000008 fffffffe 0000000b"); !bytes.Equal(got, want) {
		t.Errorf("AppendFrame = %x, want %x", got, want)
	}
}
