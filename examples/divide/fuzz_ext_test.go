// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/examples/divide"
)

const maxNeeded = 4 + 255 // of a request, see ParseRequest

func FuzzRequest(f *testing.F) {
	f.Add(divide.AppendRequest(nil, fraction(6)))
	f.Add(divide.AppendRequest(nil, fraction(6, 3)))
	f.Add(unhex(f, "00000006 646976696465 0000000a 02 00000001 01 80000000"))
	for _, m := range malformedRequests {
		f.Add(unhex(f, m.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := divide.ParseRequest(b)
		if err != nil {
			checkParseError(t, b, n, maxNeeded, err)
			return
		}
		// What was read comes out as it went in, but for an argument that could
		// have been left out, and for the order.
		again := divide.AppendRequest(nil, got)
		if len(again) > n {
			t.Errorf("%d bytes became %d", n, len(again))
		}
		back, _, err := divide.ParseRequest(again)
		if got.Num2 != nil && *got.Num2 == 1 {
			got.Num2 = nil
		}
		if diff := cmp.Diff(back, got); err != nil || diff != "" {
			t.Errorf("% x came back as % x: %v %s", b[:n], again, err, diff)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, r := range []divide.Reply{
		{Kind: divide.KindResult, Value: 2},
		{Kind: divide.KindInvalidOperation},
		{Kind: divide.KindInvalidOperation, Message: "invalid operation"},
	} {
		b, err := divide.AppendReply(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add(unhex(f, "02 ffffffff 00"))
	f.Add(unhex(f, "01 7f800000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := divide.ParseReply(b)
		if err != nil {
			checkParseError(t, b, n, 5+divide.MaxMessageBytes, err)
			return
		}
		again, err := divide.AppendReply(nil, got)
		if err != nil || !bytes.Equal(again, b[:n]) {
			t.Errorf("% x came back as % x, %v", b[:n], again, err)
		}
	})
}

func checkParseError(t *testing.T, b []byte, n, limit int, err error) {
	t.Helper()
	var e *divide.FormatError
	switch {
	case errors.As(err, &e):
		if e.Field == "" || e.Value == "" || e.Fix == "" {
			t.Errorf("% x: an error without field, value or fix: %#v", b, e)
		}
	case !errors.Is(err, divide.ErrIncomplete):
		t.Errorf("% x: %v is neither ErrIncomplete nor a *FormatError", b, err)
	case n <= len(b) || n > limit:
		t.Errorf("% x: %d bytes needed, there are %d and the limit is %d", b, n, len(b), limit)
	}
}
