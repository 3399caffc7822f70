// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestOverridesPath(t *testing.T) {
	for path, want := range map[string]string{
		"/rpc": "/rpc-meta/overrides", "/a/b": "/a/b-meta/overrides", "/": "/rollcall-meta/overrides",
	} {
		if got := OverridesPath(path); got != want {
			t.Errorf("OverridesPath(%q): got %q, want %q", path, got, want)
		}
	}
}

func TestDecodeOverrides(t *testing.T) {
	o, err := DecodeOverrides([]byte(`{"version":1,"policy":"x","overrides":[
		{"id":"a","address":"10.0.0.1:80","drain":{"by":"ann@ops1","at":"2026-03-01T13:00:00.5+01:00","reason":"kernel","ticket":7}},
		{"address":"[::1]:81","weight":{"value":0},"drain":null},
		{"id":"b","zone":"north"},
		{"id":"c","drain":{},"weight":{"value":10000,"by":"bob","at":"","reason":null}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []discovery.Instance{
		{ID: "a", Host: "10.0.0.1", Port: 80, Override: &discovery.Override{Drain: &discovery.Order{By: "ann@ops1", At: noon, Reason: "kernel"}}},
		{Host: "::1", Port: 81, Override: &discovery.Override{Weight: &discovery.WeightOrder{}}},
		{ID: "c", Override: &discovery.Override{Drain: &discovery.Order{}, Weight: &discovery.WeightOrder{Value: 10000, Order: discovery.Order{By: "bob"}}}},
	}
	if diff := cmp.Diff(o.All(), want); diff != "" {
		t.Errorf("All, got - want +:\n%s", diff)
	}
	for _, in := range want {
		if got := o.For(OverrideKeyOf(&in)); !got.Equal(in.Override) {
			t.Errorf("For %+v: got %+v", in, got)
		}
	}
	// An instance with an ID is not meant by its address, nor one without by an ID.
	for _, in := range []discovery.Instance{{ID: "x", Host: "::1", Port: 81}, {Host: "10.0.0.1", Port: 80}, {ID: "b"}} {
		if got := o.For(OverrideKeyOf(&in)); got != nil {
			t.Errorf("For %+v: got %+v, want nothing", in, got)
		}
	}
	var none *Overrides
	if none.All() != nil || none.For(OverrideKey{ID: "a"}) != nil {
		t.Error("no document has orders")
	}
}

func TestDecodeOverridesErrors(t *testing.T) {
	entry := func(s string) string { return `{"version":1,"overrides":[{"id":"a"},{` + s + `}]}` }
	tests := []struct{ data, field string }{
		{``, "data"},
		{`null`, "data"},
		{`[]`, "data"},
		{`{"version":1`, "data"},
		{"{\"version\":1,\"x\":\"\xff\"}", "data"},
		{`{"version":1,"x":"` + strings.Repeat("x", MaxOverridesBytes) + `"}`, "data"},
		{`{}`, "version"},
		{`{"version":2}`, "version"},
		{`{"version":"1"}`, "version"},
		{`{"version":1,"overrides":{}}`, "overrides"},
		{`{"version":1,"overrides":[7]}`, "overrides[0].data"},
		{`{"version":1,"overrides":[null]}`, "overrides[0].data"},
		{entry(``), "overrides[1].id"},
		{entry(`"id":7`), "overrides[1].id"},
		{entry(`"id":"a"`), "overrides[1].id"},
		{`{"version":1,"overrides":[{"address":"a:1"},{"address":"a:1"}]}`, "overrides[1].address"},
		{entry(`"address":"a"`), "overrides[1].address"},
		{entry(`"address":"a:0"`), "overrides[1].address"},
		{entry(`"address":"a:080"`), "overrides[1].address"},
		{entry(`"address":"a:+80"`), "overrides[1].address"},
		{entry(`"address":"::1:80"`), "overrides[1].address"},
		{entry(`"address":"[a]:80"`), "overrides[1].address"},
		{entry(`"id":"b","address":"a b:80"`), "overrides[1].address"},
		{entry(`"id":"b","drain":true`), "overrides[1].drain"},
		{entry(`"id":"b","drain":{"by":7}`), "overrides[1].drain.by"},
		{entry(`"id":"b","drain":{"by":"` + strings.Repeat("x", 257) + `"}`), "overrides[1].drain.by"},
		{entry(`"id":"b","drain":{"reason":"` + strings.Repeat("x", 1025) + `"}`), "overrides[1].drain.reason"},
		{entry(`"id":"b","drain":{"at":"noon"}`), "overrides[1].drain.at"},
		{entry(`"id":"b","drain":{"at":"9999-12-31T23:59:59-23:59"}`), "overrides[1].drain.at"},
		{entry(`"id":"b","weight":5`), "overrides[1].weight"},
		{entry(`"id":"b","weight":{}`), "overrides[1].weight.value"},
		{entry(`"id":"b","weight":{"value":null}`), "overrides[1].weight.value"},
		{entry(`"id":"b","weight":{"value":-1}`), "overrides[1].weight.value"},
		{entry(`"id":"b","weight":{"value":10001}`), "overrides[1].weight.value"},
		{entry(`"id":"b","weight":{"value":1.5}`), "overrides[1].weight.value"},
	}
	for _, test := range tests {
		short := test.data[:min(len(test.data), 100)]
		o, err := DecodeOverrides([]byte(test.data))
		var got *FieldError
		if o != nil || !errors.As(err, &got) || got.Field != test.field || got.Fix == "" {
			t.Errorf("DecodeOverrides(%s): got %v, %v, want an error of %s", short, o, err, test.field)
			continue
		}
		if len(err.Error()) > 500 {
			t.Errorf("DecodeOverrides(%s): an error of %d bytes", short, len(err.Error()))
		}
	}
}

// What is written keeps what it does not know, and says who ordered what.
func TestPut(t *testing.T) {
	drain := &discovery.Order{By: "ann", At: noon, Reason: "a <b>"}
	weight := &discovery.WeightOrder{Value: 50, Order: discovery.Order{By: "bob"}}
	in := func(id string, port int, o *discovery.Override) discovery.Instance {
		return discovery.Instance{Name: "n", ID: id, Host: "h", Port: port, Weight: 7, Override: o}
	}
	both := &discovery.Override{Drain: drain, Weight: weight, ServerWeight: 100}
	tests := []struct {
		before string
		put    discovery.Instance
		want   string
	}{
		{``, in("a", 1, nil), `{"overrides":[],"version":1}`},
		{``, in("a", 1, &discovery.Override{ServerWeight: 7}), `{"overrides":[],"version":1}`},
		{
			``, in("a", 1, both),
			`{"overrides":[{"address":"h:1","drain":{"by":"ann","at":"2026-03-01T12:00:00Z","reason":"a <b>"},"id":"a","weight":{"value":50,"by":"bob"}}],"version":1}`,
		},
		{``, in("", 1, &discovery.Override{Drain: &discovery.Order{}}), `{"overrides":[{"address":"h:1","drain":{}}],"version":1}`},
		{ // taken back, and nothing is left
			`{"version":1,"overrides":[{"id":"a","drain":{}},{"id":"b","drain":{}}],"new":[1]}`, in("a", 1, nil),
			`{"new":[1],"overrides":[{"drain":{},"id":"b"}],"version":1}`,
		},
		{ // unknown keys stay, but for those of an order that is replaced
			`{"version":1,"overrides":[{"id":"a","address":"old:1","drain":{"by":"ann","x":1},"weight":{"value":1,"x":2},"zone":"n"}]}`,
			in("a", 2, &discovery.Override{Drain: &discovery.Order{By: "ann"}, Weight: weight}),
			`{"overrides":[{"address":"h:2","drain":{"by":"ann","x":1},"id":"a","weight":{"value":50,"by":"bob"},"zone":"n"}],"version":1}`,
		},
		{ // an entry with what is not known stays
			`{"version":1,"overrides":[{"id":"a","drain":{},"zone":"n"}]}`, in("a", 2, nil),
			`{"overrides":[{"address":"h:2","id":"a","zone":"n"}],"version":1}`,
		},
	}
	for _, test := range tests {
		o := new(Overrides)
		if test.before != "" {
			var err error
			if o, err = DecodeOverrides([]byte(test.before)); err != nil {
				t.Fatal(err)
			}
		}
		o.Put(test.put)
		got, err := o.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), test.want); diff != "" {
			t.Errorf("%+v put into %s, got - want +:\n%s", test.put, test.before, diff)
		}
		again, err := DecodeOverrides(got)
		if err != nil {
			t.Fatal(err)
		}
		if key := OverrideKeyOf(&test.put); !again.For(key).Equal(o.For(key)) {
			t.Errorf("read again: got %+v, want %+v", again.For(key), o.For(key))
		}
	}
}

func TestEncodeOverridesErrors(t *testing.T) {
	put := func(in discovery.Instance) string {
		o := new(Overrides)
		o.Put(in)
		_, err := o.Encode()
		var got *FieldError
		if !errors.As(err, &got) {
			t.Errorf("%.200v: got %v, want a *FieldError", in, err)
			return ""
		}
		return got.Field
	}
	weight := func(value int) *discovery.Override {
		return &discovery.Override{Weight: &discovery.WeightOrder{Value: value}}
	}
	if got := put(discovery.Instance{ID: "a", Override: weight(10001)}); got != "overrides[0].weight.value" {
		t.Errorf("a weight out of range: got an error of %q", got)
	}
	if got := put(discovery.Instance{Override: weight(1)}); got != "overrides[0].id" {
		t.Errorf("nobody: got an error of %q", got)
	}
	o := new(Overrides)
	for i := range 1500 {
		o.Put(discovery.Instance{ID: fmt.Sprintf("%0200d", i), Override: weight(1)})
	}
	if _, err := o.Encode(); err == nil || !strings.Contains(err.Error(), "write at most 262144 bytes") {
		t.Errorf("a document that is too long: got %v", err)
	}
}

func FuzzDecodeOverrides(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"overrides":[]}`,
		`{"version":1,"overrides":[{"id":"a","address":"10.0.0.1:80","drain":{"by":"ann","at":"2026-03-01T12:00:00Z","reason":"r"},"weight":{"value":50}},{"address":"[::1]:81","drain":{}}],"x":{"y":[1]}}`,
		`{"version":1,"overrides":[{"id":"","address":"a:1"},{"id":"a","drain":null}]}`,
		`{"version":2}`, `{"version":1,"overrides":[{"id":"a"},{"id":"a"}]}`, `null`, `[[[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := DecodeOverrides(data)
		if err != nil {
			var typed *FieldError
			if !errors.As(err, &typed) || typed.Field == "" || typed.Fix == "" {
				t.Fatalf("got %#v, want a whole *FieldError", err)
			}
			return
		}
		all := o.All()
		written, err := o.Encode()
		if err != nil && len(data) < MaxOverridesBytes/8 { // what was written with less space may be longer
			t.Fatalf("Encode of what was read: %v", err)
		}
		if err != nil {
			return
		}
		again, err := DecodeOverrides(written)
		if err != nil {
			t.Fatalf("DecodeOverrides(%s): %v", written, err)
		}
		if diff := cmp.Diff(again.All(), all); diff != "" {
			t.Fatalf("read again - first +:\n%s", diff)
		}
		for _, in := range all {
			in.Override = nil
			o.Put(in)
		}
		if left := o.All(); len(left) != 0 {
			t.Fatalf("left when all was taken back: %+v", left)
		}
	})
}
