// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/examples/divide"
)

// unhex reads "00 00 06 | 64": hexadecimal bytes, with anything else between.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fraction(num1 int32, num2 ...int32) divide.Fraction {
	f := divide.Fraction{Num1: num1}
	if len(num2) > 0 {
		f.Num2 = &num2[0]
	}
	return f
}

func TestRequestBytes(t *testing.T) {
	const name = "00 00 00 06 | 64 69 76 69 64 65 | "
	tests := []struct {
		name     string
		fraction divide.Fraction
		wire     string
	}{
		{"two arguments", fraction(6, 3), name + "00 00 00 0a | 01 00 00 00 06 | 02 00 00 00 03"},
		{"one argument", fraction(6), name + "00 00 00 05 | 01 00 00 00 06"},
		{"negative", fraction(-1, math.MinInt32), name + "00 00 00 0a | 01 ff ff ff ff | 02 80 00 00 00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			if got := divide.AppendRequest(nil, tt.fraction); !bytes.Equal(got, wire) {
				t.Errorf("AppendRequest = % x, want % x", got, wire)
			}
			got, n, err := divide.ParseRequest(append(wire, 0xff)) // of the next one
			if diff := cmp.Diff(got, tt.fraction); err != nil || n != len(wire) || diff != "" {
				t.Errorf("ParseRequest = %v, %d, %v, want %d bytes and no difference: %s", got, n, err, len(wire), diff)
			}
		})
	}
}

func TestRequestDefaultIsLeftOut(t *testing.T) {
	if got, want := divide.AppendRequest(nil, fraction(6, 1)), divide.AppendRequest(nil, fraction(6)); !bytes.Equal(got, want) {
		t.Errorf("AppendRequest of num2 = 1 is % x, want % x", got, want)
	}
}

func TestRequestArgumentsInEitherOrder(t *testing.T) {
	got, _, err := divide.ParseRequest(unhex(t, "00000006 646976696465 0000000a 02 00000003 01 00000006"))
	if diff := cmp.Diff(got, fraction(6, 3)); err != nil || diff != "" {
		t.Errorf("ParseRequest = %v, %v: %s", got, err, diff)
	}
}

// malformedRequests are all the ways to be no request.
var malformedRequests = []struct{ name, wire, field, value string }{
	{"name of 0 bytes", "00000000", "name length", "0"},
	{"name of 256 bytes", "00000100", "name length", "256"},
	{"name of 4 GiB", "ffffffff", "name length", "4294967295"},
	{"unknown name", "00000003 616464 00000005", "name", `"add"`},
	{"name in upper case", "00000006 444956494445", "name", `"DIVIDE"`},
	{"name is no UTF-8", "00000001 ff", "name", `"\xff"`},
	{"no arguments", "00000006 646976696465 00000000", "arguments length", "0"},
	{"arguments of 6 bytes", "00000006 646976696465 00000006", "arguments length", "6"},
	{"three arguments", "00000006 646976696465 0000000f", "arguments length", "15"},
	{"arguments of 4 GiB", "00000006 646976696465 ffffffff", "arguments length", "4294967295"},
	{"sequence number 0", "00000006 646976696465 00000005 00 00000006", "sequence number", "0"},
	{"sequence number 3", "00000006 646976696465 0000000a 01 00000006 03 00000003", "sequence number", "3"},
	{"num1 twice", "00000006 646976696465 0000000a 01 00000006 01 00000003", "sequence number", "1"},
	{"num2 twice", "00000006 646976696465 0000000a 02 00000006 02 00000003", "sequence number", "2"},
	{"num2 alone", "00000006 646976696465 00000005 02 00000006", "sequence number", "2"},
}

func TestRequestMalformed(t *testing.T) {
	for _, tt := range malformedRequests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := divide.ParseRequest(unhex(t, tt.wire))
			var e *divide.FormatError
			if !errors.As(err, &e) {
				t.Fatalf("ParseRequest = %v, %v, want a *FormatError", got, err)
			}
			if e.Field != tt.field || e.Value != tt.value || e.Fix == "" {
				t.Errorf("got field %q, value %q, fix %q, want field %q, value %q and a fix", e.Field, e.Value, e.Fix, tt.field, tt.value)
			}
			for _, part := range []string{e.Field, e.Value, e.Fix} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestReplyBytes(t *testing.T) {
	tests := []struct {
		name  string
		reply divide.Reply
		wire  string
	}{
		{"6 / 3", divide.Reply{Kind: divide.KindResult, Value: 2}, "01 | 40 00 00 00"},
		{"6 / 1", divide.Reply{Kind: divide.KindResult, Value: 6}, "01 | 40 c0 00 00"},
		{
			"1 / 0",
			divide.Reply{Kind: divide.KindInvalidOperation, Message: "invalid operation"},
			"02 | 00 00 00 11 | 69 6e 76 61 6c 69 64 20 6f 70 65 72 61 74 69 6f 6e",
		},
		{"no message", divide.Reply{Kind: divide.KindInvalidOperation}, "02 | 00 00 00 00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			if got, err := divide.AppendReply(nil, tt.reply); err != nil || !bytes.Equal(got, wire) {
				t.Errorf("AppendReply = % x, %v, want % x", got, err, wire)
			}
			got, n, err := divide.ParseReply(append(wire, 0xff))
			if err != nil || n != len(wire) || got != tt.reply {
				t.Errorf("ParseReply = %v, %d, %v, want %v, %d", got, n, err, tt.reply, len(wire))
			}
		})
	}
}

func TestReplyMalformed(t *testing.T) {
	tests := []struct{ name, wire, field, value string }{
		{"kind 0", "00", "kind", "0"},
		{"kind 3", "03 00000000", "kind", "3"},
		{"result NaN", "01 7fc00000", "result", "NaN"},
		{"result +Inf", "01 7f800000", "result", "+Inf"},
		{"message of 65537 bytes", "02 00010001", "message length", "65537"},
		{"message of 4 GiB", "02 ffffffff", "message length", "4294967295"},
		{"message is no UTF-8", "02 00000001 ff", "message", `"\xff"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := divide.ParseReply(unhex(t, tt.wire))
			var e *divide.FormatError
			if !errors.As(err, &e) {
				t.Fatalf("ParseReply = %v, %v, want a *FormatError", got, err)
			}
			if e.Field != tt.field || e.Value != tt.value {
				t.Errorf("got field %q, value %q, want %q, %q", e.Field, e.Value, tt.field, tt.value)
			}
		})
	}
}

func TestReplyWithoutForm(t *testing.T) {
	tests := []struct {
		name  string
		reply divide.Reply
		field string
	}{
		{"zero value", divide.Reply{}, "kind"},
		{"result NaN", divide.Reply{Kind: divide.KindResult, Value: float32(math.NaN())}, "result"},
		{"message too long", divide.Reply{Kind: divide.KindInvalidOperation, Message: strings.Repeat("x", divide.MaxMessageBytes+1)}, "message length"},
		{"message no UTF-8", divide.Reply{Kind: divide.KindInvalidOperation, Message: "\xff"}, "message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := divide.AppendReply([]byte("kept"), tt.reply)
			var e *divide.FormatError
			if !errors.As(err, &e) || e.Field != tt.field || string(b) != "kept" {
				t.Errorf("AppendReply = %q, %v, want \"kept\" and a *FormatError about %q", b, err, tt.field)
			}
		})
	}
}

// parsers has both parsers in one shape: the length, and whether there is more
// to read.
var parsers = map[string]struct {
	wire  string
	parse func([]byte) (int, error)
}{
	"request": {
		"00000006 646976696465 0000000a 01 00000006 02 00000003",
		func(b []byte) (int, error) { _, n, err := divide.ParseRequest(b); return n, err },
	},
	"result": {
		"01 40000000",
		func(b []byte) (int, error) { _, n, err := divide.ParseReply(b); return n, err },
	},
	"invalid operation": {
		"02 00000011 696e76616c6964206f7065726174696f6e",
		func(b []byte) (int, error) { _, n, err := divide.ParseReply(b); return n, err },
	},
}

func TestIncomplete(t *testing.T) {
	for name, tt := range parsers {
		t.Run(name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			for i := range wire {
				n, err := tt.parse(wire[:i])
				if !errors.Is(err, divide.ErrIncomplete) || n <= i || n > len(wire) {
					t.Errorf("%d of %d bytes: got %d, %v, want more than there are, and ErrIncomplete", i, len(wire), n, err)
				}
			}
		})
	}
}
