// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/frame"
)

func TestHeaderCheck(t *testing.T) {
	const limit = 100
	cases := []struct {
		name string
		h    frame.Header
		want string // part of the error; empty: none
	}{
		{"request", frame.Header{Length: limit, Type: frame.TypeRequest, Flags: frame.FlagMore, StreamID: 1}, ""},
		{"too long", frame.Header{Length: limit + 1, Type: frame.TypeRequest, StreamID: 1}, "frame length is 101"},
		{"too long, ignorable", frame.Header{Length: limit + 1, Type: 0xff}, "frame length is 101"},
		{"ignorable", frame.Header{Type: 0xff, Flags: 0xff, StreamID: frame.ServerStreamBit}, ""},
		{"type 0", frame.Header{}, "frame type is 0"},
		{"reserved type", frame.Header{Type: frame.TypeWindow, StreamID: 1}, "frame type is 9"},
		{"stream flag", frame.Header{Type: frame.TypeData, Flags: frame.FlagStream, StreamID: 1}, "flags of DATA is 2"},
		{"more of nothing", frame.Header{Type: frame.TypeError, Flags: frame.FlagMore, StreamID: 1}, "flags of ERROR is 1"},
		{"no stream", frame.Header{Type: frame.TypeReply}, "stream id of REPLY is 0"},
		{"server's stream", frame.Header{Type: frame.TypeRequest, StreamID: frame.ServerStreamBit}, "stream id of REQUEST"},
		{"stream of a ping", frame.Header{Type: frame.TypePing, Length: 8, StreamID: 1}, "stream id of PING is 1"},
		{"short ping", frame.Header{Type: frame.TypePong, Length: 7}, "length of PONG is 7"},
		{"cancel with payload", frame.Header{Type: frame.TypeCancel, Length: 1, StreamID: 1}, "length of CANCEL is 1"},
	}
	for _, c := range cases {
		err := c.h.Check(limit)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		var format *frame.FormatError
		if err != nil && !errors.As(err, &format) {
			t.Errorf("%s: %T is not a FormatError", c.name, err)
		}
	}
	b := frame.AppendHeader(nil, frame.Header{Type: frame.TypePing, Length: 8})
	b[7] = 1
	if _, err := frame.ParseHeader(b); err == nil {
		t.Error("reserved bytes were accepted")
	}
}

// Every prefix of a valid payload that cuts a length short is an error, and
// none is a panic.
func TestTruncatedPayloads(t *testing.T) {
	request := frame.AppendRequest(nil, &exampleRequest)
	for n := range frame.RequestFixedBytes + len("Divide/Divide") + 9 {
		if _, err := frame.ParseRequest(request[:n], 1000); err == nil {
			t.Errorf("request of %d bytes was accepted", n)
		}
	}
	reply := frame.AppendReply(nil, &frame.Reply{Metadata: frame.Metadata{"a": "b"}})
	for n := range reply {
		if _, err := frame.ParseReply(reply[:n], 1000); err == nil {
			t.Errorf("reply of %d bytes was accepted", n)
		}
	}
	e := frame.AppendError(nil, &exampleError)
	noDetails := len(e) - exampleError.Details.Size()
	for n := range e {
		if _, err := frame.ParseError(e[:n]); err == nil && n != noDetails {
			t.Errorf("error of %d bytes was accepted", n)
		}
	}
	for _, name := range []string{"preface", "server-preface"} {
		whole := examples(t)[name]
		for n := range whole {
			if _, err := frame.ParsePreface(whole[:n]); err == nil {
				t.Errorf("%s of %d bytes was accepted", name, n)
			}
			if _, err := frame.ParseServerPreface(whole[:n]); err == nil {
				t.Errorf("%s of %d bytes was accepted", name, n)
			}
		}
	}
}

func TestHostileLengthsAllocateNothing(t *testing.T) {
	b := bytes.Repeat([]byte{0xff}, 64)
	b[frame.RequestFixedBytes-1] = 0
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := frame.ParseMetadata(b[:40]); err == nil {
			t.Error("metadata accepted")
		}
	})
	if allocs > 4 { // the empty map and the error
		t.Errorf("%v allocations", allocs)
	}
}

func TestMetadataRules(t *testing.T) {
	m := frame.Metadata{"b": "2", "a": "1", "c": ""}
	b := frame.AppendMetadata(nil, m)
	if want := "\x01a\x00\x011\x01b\x00\x012\x01c\x00\x00"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
	if len(b) != m.Size() {
		t.Errorf("Size is %d, encoded are %d", m.Size(), len(b))
	}
	for name, hostile := range map[string]string{
		"empty key": "\x00\x00\x00", "twice": "\x01a\x00\x00\x01a\x00\x00", "no value": "\x01a", "long value": "\x01a\x00\x02x",
	} {
		if _, err := frame.ParseMetadata([]byte(hostile)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, bad := range map[string]frame.Metadata{
		"empty key": {"": "x"}, "long key": {strings.Repeat("k", 256): ""},
		"long value": {"k": strings.Repeat("v", 1<<16)}, "over the limit": {"k": strings.Repeat("v", 997)},
	} {
		var limit *frame.LimitError
		if err := bad.Check(1000); !errors.As(err, &limit) || limit.Kind != frame.LimitMetadata {
			t.Errorf("%s: Check = %v, want a LimitError of metadata", name, err)
		}
	}
	if got := frame.AppendMetadata(nil, frame.Metadata{"": "x", "a": "1"}); string(got) != "\x01a\x00\x011" {
		t.Errorf("what cannot be carried was written: %q", got)
	}
}

func TestMetadataOverTheReceiversLimitIsNotParsed(t *testing.T) {
	q := frame.Request{Method: []byte("m"), Metadata: frame.Metadata{"k": "v"}, Body: []byte("body")}
	got, err := frame.ParseRequest(frame.AppendRequest(nil, &q), 4)
	var limit *frame.LimitError
	if !errors.As(err, &limit) || limit.Kind != frame.LimitMetadata || limit.Value != 5 || limit.Limit != 4 {
		t.Fatalf("got %v, want a LimitError of 5 over 4", err)
	}
	if got.Metadata != nil || string(got.Body) != "body" || string(got.Method) != "m" {
		t.Errorf("got %+v", got)
	}
}

func TestRemainingTime(t *testing.T) {
	for _, c := range []struct{ in, want time.Duration }{{0, 0}, {-5, 1}, {time.Hour, time.Hour}} {
		got, err := frame.ParseRequest(frame.AppendRequest(nil, &frame.Request{Remaining: c.in}), 0)
		if err != nil || got.Remaining != c.want {
			t.Errorf("%v: got %v, %v; want %v", c.in, got.Remaining, err, c.want)
		}
	}
	b := frame.AppendRequest(nil, &frame.Request{})
	binary.BigEndian.PutUint64(b[4:], 1<<63)
	if got, _ := frame.ParseRequest(b, 0); got.Remaining <= 0 {
		t.Errorf("2^63 ns read as %v", got.Remaining)
	}
}

func TestErrorsAreCutToOneFrame(t *testing.T) {
	e := frame.Error{
		Code: 99, Executed: 9, Reason: strings.Repeat("R", 300), Message: strings.Repeat("ü", 3000),
		Details: frame.Metadata{"a": strings.Repeat("x", 8000), "b": strings.Repeat("x", 8000), "c": "small"},
	}
	b := frame.AppendError(nil, &e)
	if len(b) > frame.MinMaxFrame {
		t.Fatalf("%d bytes do not fit a frame", len(b))
	}
	got, err := frame.ParseError(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Code != frame.CodeUnknown || got.Executed != frame.ExecutedMaybe {
		t.Errorf("got %v, %v", got.Code, got.Executed)
	}
	if len(got.Reason) != 255 || len(got.Message) != 4096 || !utf8.ValidString(got.Message) {
		t.Errorf("reason of %d, message of %d bytes", len(got.Reason), len(got.Message))
	}
	if len(got.Details) != 2 || got.Details["c"] != "small" || len(got.Details["a"]) != 8000 {
		t.Errorf("details %d entries", len(got.Details))
	}
	odd := frame.AppendError(nil, &frame.Error{Message: strings.Repeat("x", 4095) + "ü"})
	if got, _ := frame.ParseError(odd); len(got.Message) != 4095 {
		t.Errorf("a character was split: %d bytes", len(got.Message))
	}
}

// Every answer to whether a call was executed goes over the wire with and without
// the flag beside it; all other values of the byte are refused.
func TestExecutedAndPassedOn(t *testing.T) {
	for b := range 256 {
		got, err := frame.ParseError([]byte{byte(frame.CodeUnavailable), byte(b), 0, 0, 0})
		executed, passedOn := frame.Executed(b%0x80), b >= 0x80
		if executed < frame.ExecutedNo || executed > frame.ExecutedYes {
			if _, ok := errors.AsType[*frame.FormatError](err); !ok {
				t.Errorf("0x%02x: got %v, want a FormatError", b, err)
			}
			continue
		}
		want := frame.Error{Code: frame.CodeUnavailable, Executed: executed, PassedOn: passedOn}
		if diff := cmp.Diff(got, want); diff != "" || err != nil {
			t.Errorf("0x%02x: %v, got - want +:\n%s", b, err, diff)
		}
		if written := frame.AppendError(nil, &want); int(written[1]) != b {
			t.Errorf("0x%02x was written as 0x%02x", b, written[1])
		}
	}
}

func TestPrefaceRules(t *testing.T) {
	good := frame.AppendPreface(nil, frame.Preface{Settings: frame.Settings{MaxFrame: 1 << 20, MaxMessage: 1, MaxMetadata: 2, MaxStreams: 3}})
	edit := func(f func(b []byte) []byte) []byte {
		b := f(bytes.Clone(good))
		if len(b) >= frame.PrefaceHeaderBytes {
			binary.BigEndian.PutUint16(b[6:], uint16(len(b)-frame.PrefaceHeaderBytes))
		}
		return b
	}
	for name, b := range map[string][]byte{
		"magic":           edit(func(b []byte) []byte { b[4] = 'l'; return b }),
		"trailing":        edit(func(b []byte) []byte { return append(b, 0) }),
		"id too long":     edit(func(b []byte) []byte { b[8] = 255; return b }),
		"small frame":     edit(func(b []byte) []byte { return append(b[:9], 0, 1, 0, 0, 0xff, 0xff) }),
		"zero streams":    edit(func(b []byte) []byte { return append(b[:9], 0, 4, 0, 0, 0, 0) }),
		"huge metadata":   edit(func(b []byte) []byte { return append(b[:9], 0, 3, 0, 1, 0, 0) }),
		"setting twice":   edit(func(b []byte) []byte { return append(b, 0, 4, 0, 0, 0, 9) }),
		"oversized body":  append([]byte("\xb2ROLL\x01\x10\x01"), make([]byte, 4097)...),
		"body cut short":  good[:len(good)-1],
		"nothing at all":  nil,
		"an HTTP request": []byte("GET / HTTP/1.1\r\n"),
	} {
		var format *frame.FormatError
		if _, err := frame.ParsePreface(b); !errors.As(err, &format) {
			t.Errorf("%s: got %v, want a FormatError", name, err)
		}
	}
	unknown := edit(func(b []byte) []byte { return append(b, 0x77, 0x77, 1, 2, 3, 4) })
	if got, err := frame.ParsePreface(unknown); err != nil || got.Settings.MaxStreams != 3 {
		t.Errorf("unknown setting: %+v, %v", got, err)
	}
	var version *frame.VersionError
	if _, err := frame.ParsePreface(edit(func(b []byte) []byte { b[5] = 2; return b[:8] })); !errors.As(err, &version) || version.Got != 2 {
		t.Errorf("version 2: %v", err)
	}
	want := frame.Settings{MaxFrame: 65536, MaxMessage: 4 << 20, MaxMetadata: 16 << 10, MaxStreams: 1000}
	if got := (frame.Settings{}).WithDefaults(); got != want {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
}

func TestServerPrefaceOfAnotherVersion(t *testing.T) {
	b := frame.AppendServerPreface(nil, frame.ServerPreface{Version: 7, Status: frame.StatusUnsupportedVersion, InstanceID: "x"})
	got, err := frame.ParseServerPreface(b)
	if err != nil || got.Version != 7 || got.Status != frame.StatusUnsupportedVersion {
		t.Errorf("got %+v, %v", got, err)
	}
	b = frame.AppendServerPreface(nil, frame.ServerPreface{Version: 7, Status: frame.StatusOK})
	var version *frame.VersionError
	if _, err := frame.ParseServerPreface(b); !errors.As(err, &version) {
		t.Errorf("status ok of version 7: %v", err)
	}
	b = frame.AppendServerPreface(nil, frame.ServerPreface{Status: 9})
	if _, err := frame.ParseServerPreface(b); err == nil {
		t.Error("status 9 was accepted")
	}
}

func TestNamesOfValues(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{frame.ExecutedNo.String(), "no"},
		{frame.ExecutedMaybe.String(), "maybe"},
		{frame.ExecutedYes.String(), "yes"},
		{frame.Executed(0).String(), "executed 0x00"},
		{frame.CodeUnavailable.String(), "Unavailable"},
		{frame.CodeOK.String(), "OK"},
		{frame.Code(200).String(), "code 0xc8"},
		{frame.TypeHalfClose.String(), "HALF_CLOSE"},
		{frame.Type(0x7f).String(), "type 0x7f"},
		{frame.GoAwayDraining.String(), "draining"},
		{frame.StatusWrongInstance.String(), "wrong instance"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func BenchmarkAppendAndParseRequest(b *testing.B) {
	q := frame.Request{Method: []byte("Bench/Echo"), Body: make([]byte, 1024)}
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		buf = frame.AppendRequest(buf[:0], &q)
		if _, err := frame.ParseRequest(buf, 100); err != nil {
			b.Fatal(err)
		}
	}
}
