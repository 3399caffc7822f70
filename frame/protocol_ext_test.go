// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/frame"
)

const exampleInstance = "7f3a91c2e0b4d586"

// examples reads the blocks of PROTOCOL.md that begin with "```hex NAME".
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]byte)
	for _, block := range strings.Split(string(text), "```hex ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		digits, _, _ := strings.Cut(rest, "```")
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatalf("example %s: %v", name, err)
		}
		found[name] = b
	}
	return found
}

// withHeader puts the header of stream 1, or of the connection, before payload.
func withHeader(typ frame.Type, stream uint64, payload []byte) []byte {
	h := frame.Header{Length: uint32(len(payload)), Type: typ, StreamID: stream}
	return append(frame.AppendHeader(nil, h), payload...)
}

// exampleValues are the examples of PROTOCOL.md as values.
var (
	exampleRequest = frame.Request{
		Codec: frame.CodecJSON, Remaining: 250 * time.Millisecond, Method: []byte("Divide/Divide"),
		Metadata: frame.Metadata{"trace": "7"}, Body: []byte(`{"num1":6}`),
	}
	exampleReply = frame.Reply{Codec: frame.CodecJSON, Body: []byte(`{"value":6}`)}
	exampleError = frame.Error{
		Code: frame.CodeInvalidArgument, Executed: frame.ExecutedYes, Reason: "INVALID_OPERATION",
		Message: "division by zero", Details: frame.Metadata{"field": "num2"},
	}
	examplePassedOn = frame.Error{
		Code: frame.CodeUnavailable, Executed: frame.ExecutedYes, PassedOn: true, Message: "the ledger is down",
	}
	exampleGoAway = frame.GoAway{LastStreamID: frame.LastStreamAll, Reason: frame.GoAwayDraining, Text: "bye"}
)

func TestExamplesOfTheSpecification(t *testing.T) {
	want := examples(t)
	got := map[string][]byte{
		"preface": frame.AppendPreface(nil, frame.Preface{InstanceID: exampleInstance}),
		"server-preface": frame.AppendServerPreface(nil, frame.ServerPreface{
			Status: frame.StatusOK, InstanceID: exampleInstance, Settings: frame.Settings{MaxStreams: 100},
		}),
		"request":   withHeader(frame.TypeRequest, 1, frame.AppendRequest(nil, &exampleRequest)),
		"reply":     withHeader(frame.TypeReply, 1, frame.AppendReply(nil, &exampleReply)),
		"error":     withHeader(frame.TypeError, 1, frame.AppendError(nil, &exampleError)),
		"passed-on": withHeader(frame.TypeError, 1, frame.AppendError(nil, &examplePassedOn)),
		"cancel":    withHeader(frame.TypeCancel, 1, nil),
		"ping":      withHeader(frame.TypePing, 0, []byte{0, 0, 0, 0, 0, 0, 0, 42}),
		"goaway":    withHeader(frame.TypeGoAway, 0, frame.AppendGoAway(nil, exampleGoAway)),
	}
	if len(want) != len(got) {
		t.Errorf("PROTOCOL.md has %d examples, want %d", len(want), len(got))
	}
	for name, b := range got {
		if !bytes.Equal(b, want[name]) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, b, want[name])
		}
	}
}

func TestParseReadsTheExamples(t *testing.T) {
	b := examples(t)
	payload := func(name string) []byte {
		h, err := frame.ParseHeader(b[name])
		if err == nil {
			err = h.Check(frame.DefaultMaxFrame)
		}
		if err != nil || int(h.Length) != len(b[name])-frame.HeaderBytes {
			t.Fatalf("%s: header %+v, %v", name, h, err)
		}
		return b[name][frame.HeaderBytes:]
	}
	check := func(name string, got, want any, err error) {
		t.Helper()
		if diff := cmp.Diff(got, want); diff != "" || err != nil {
			t.Errorf("%s: error %v, got - want +:\n%s", name, err, diff)
		}
	}
	p, err := frame.ParsePreface(b["preface"])
	check("preface", p, frame.Preface{InstanceID: exampleInstance}, err)
	sp, err := frame.ParseServerPreface(b["server-preface"])
	check("server-preface", sp, frame.ServerPreface{
		Version: 1, Status: frame.StatusOK, InstanceID: exampleInstance, Settings: frame.Settings{MaxStreams: 100},
	}, err)
	q, err := frame.ParseRequest(payload("request"), 9)
	check("request", q, exampleRequest, err)
	r, err := frame.ParseReply(payload("reply"), 0)
	check("reply", r, exampleReply, err)
	e, err := frame.ParseError(payload("error"))
	check("error", e, exampleError, err)
	e, err = frame.ParseError(payload("passed-on"))
	check("passed-on", e, examplePassedOn, err)
	g, err := frame.ParseGoAway(payload("goaway"))
	check("goaway", g, exampleGoAway, err)
	payload("cancel")
	payload("ping")
}
