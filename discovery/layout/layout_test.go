// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestEncode(t *testing.T) {
	tests := []struct {
		in   discovery.Instance
		want string
	}{
		{
			discovery.Instance{
				Name: "x", Host: "127.0.0.1", Port: 8001, ID: "7f3a91c2e0b4d586",
				Protocols: []string{"rollcall/1", "http/1.1", "divide"}, Weight: 100,
				Revision: 7, Owner: 8, Registered: time.Unix(1, 0),
			},
			`{"host":"127.0.0.1","port":8001,"id":"7f3a91c2e0b4d586","protocols":["rollcall/1","http/1.1","divide"],"weight":100,"zone":"","version":"","metadata":{}}`,
		},
		{
			discovery.Instance{Host: "::1", Port: 1, Zone: "<ä>", Version: "v1", Metadata: map[string]string{"b": "\"", "a": ""}},
			`{"host":"::1","port":1,"id":"","protocols":[],"weight":0,"zone":"<ä>","version":"v1","metadata":{"a":"","b":"\""}}`,
		},
		{
			discovery.Instance{Host: "a", Port: 1, TLS: true, Weight: 1},
			`{"host":"a","port":1,"id":"","protocols":[],"tls":true,"weight":1,"zone":"","version":"","metadata":{}}`,
		},
	}
	for _, test := range tests {
		got, err := Encode(test.in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), test.want); diff != "" {
			t.Errorf("Encode, got - want +:\n%s", diff)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	tests := []struct {
		in    discovery.Instance
		field string
	}{
		{discovery.Instance{}, "host"},
		{discovery.Instance{Host: "a", Port: 70000}, "port"},
		{discovery.Instance{Host: "a", Port: 1, Weight: 10001}, "weight"},
		{discovery.Instance{Host: "a", Port: 1, Metadata: map[string]string{"a": strings.Repeat("x", MaxBytes)}}, "data"},
	}
	for _, test := range tests {
		_, err := Encode(test.in)
		var got *FieldError
		if !errors.As(err, &got) || got.Field != test.field {
			t.Errorf("Encode of %q: got %v, want an error of %s", test.in.Host, err, test.field)
		}
	}
}

func TestDecode(t *testing.T) {
	plain := discovery.Instance{Name: "n", Host: "127.0.0.1", Port: 8001, Weight: discovery.DefaultWeight}
	with := func(change func(*discovery.Instance)) discovery.Instance {
		in := plain
		change(&in)
		return in
	}
	tests := []struct {
		data string
		want discovery.Instance
	}{
		{`{"host": "127.0.0.1", "port": 8001}`, plain},
		{"\n {\"port\":\"8001\",\"host\":\"127.0.0.1\"}\t", plain},
		{`{"host":"127.0.0.1","port":8001,"id":null,"protocols":null,"weight":null,"zone":null,"version":null,"metadata":null}`, plain},
		{`{"host":"127.0.0.1","port":8001,"Host":"x","HOST":5,"state":{"a":[1,2,{}]},"":[]}`, plain},
		{`{"host":"x","host":"127.0.0.1","port":0,"port":8001}`, plain},
		{`{"host":"127.0.0.1","port":8001,"weight":0}`, with(func(in *discovery.Instance) { in.Weight = 0 })},
		{`{"host":"127.0.0.1","port":8001,"weight":10000}`, with(func(in *discovery.Instance) { in.Weight = 10000 })},
		{`{"host":"127.0.0.1","port":8001,"tls":true}`, with(func(in *discovery.Instance) { in.TLS = true })},
		{`{"host":"127.0.0.1","port":8001,"tls":false}`, plain},
		{`{"host":"127.0.0.1","port":8001,"tls":null,"TLS":true}`, plain},
		{`{"host":"::1","port":8001}`, with(func(in *discovery.Instance) { in.Host = "::1" })},
		{`{"host":"w\u00e4g.example","port":8001}`, with(func(in *discovery.Instance) { in.Host = "wäg.example" })},
		{
			`{"host":"127.0.0.1","port":8001,"id":"i","protocols":["a","b"],"zone":"z","version":"v","metadata":{"k":"v"}}`,
			with(func(in *discovery.Instance) {
				in.ID, in.Protocols, in.Zone, in.Version, in.Metadata = "i", []string{"a", "b"}, "z", "v", map[string]string{"k": "v"}
			}),
		},
	}
	for _, test := range tests {
		got, err := Decode("n", []byte(test.data))
		if err != nil {
			t.Errorf("Decode(%s): %v", test.data, err)
			continue
		}
		if diff := cmp.Diff(got, test.want); diff != "" {
			t.Errorf("Decode(%s), got - want +:\n%s", test.data, diff)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	rest := func(s string) string { return `{"host":"a","port":1,` + s + `}` }
	tests := []struct{ data, field string }{
		{``, "data"},
		{` `, "data"},
		{`null`, "data"},
		{`[]`, "data"},
		{`"x"`, "data"},
		{`{`, "data"},
		{`{"host":"a","port":1}x`, "data"},
		{`{"host":"a","port":1}{}`, "data"},
		{`{"host":"a","port":1,}`, "data"},
		{"{\"host\":\"\xff\",\"port\":1}", "data"},
		{strings.Repeat("[", 100_000), "data"},
		{rest(`"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)), "data"},
		{rest(`"x":"` + strings.Repeat("x", 1<<20) + `"`), "data"},
		{`{}`, "host"},
		{`{"port":1}`, "host"},
		{`{"host":"","port":1}`, "host"},
		{`{"host":7,"port":1}`, "host"},
		{`{"host":["a"],"port":1}`, "host"},
		{`{"host":"[::1]","port":1}`, "host"},
		{`{"host":"fe80::1%eth0","port":1}`, "host"},
		{`{"host":"a b","port":1}`, "host"},
		{`{"host":"a:1","port":1}`, "host"},
		{`{"host":"a"}`, "port"},
		{`{"host":"a","port":null}`, "port"},
		{`{"host":"a","port":0}`, "port"},
		{`{"host":"a","port":-1}`, "port"},
		{`{"host":"a","port":65536}`, "port"},
		{`{"host":"a","port":1.5}`, "port"},
		{`{"host":"a","port":1e3}`, "port"},
		{`{"host":"a","port":true}`, "port"},
		{`{"host":"a","port":[1]}`, "port"},
		{`{"host":"a","port":""}`, "port"},
		{`{"host":"a","port":"http"}`, "port"},
		{`{"host":"a","port":" 1"}`, "port"},
		{rest(`"id":1`), "id"},
		{rest(`"protocols":"a"`), "protocols"},
		{rest(`"protocols":[1]`), "protocols"},
		{rest(`"protocols":[""]`), "protocols"},
		{rest(`"protocols":{}`), "protocols"},
		{rest(`"weight":-1`), "weight"},
		{rest(`"weight":10001`), "weight"},
		{rest(`"weight":1.5`), "weight"},
		{rest(`"weight":"100"`), "weight"},
		{rest(`"weight":99999999999999999999`), "weight"},
		{rest(`"tls":1`), "tls"},
		{rest(`"tls":"true"`), "tls"},
		{rest(`"zone":false`), "zone"},
		{rest(`"version":2`), "version"},
		{rest(`"metadata":[]`), "metadata"},
		{rest(`"metadata":{"a":1}`), "metadata"},
	}
	for _, test := range tests {
		short := test.data[:min(len(test.data), 60)]
		in, err := Decode("n", []byte(test.data))
		var got *FieldError
		if !errors.As(err, &got) || got.Field != test.field || got.Fix == "" {
			t.Errorf("Decode(%s): got %v, want an error of %s", short, err, test.field)
			continue
		}
		if len(err.Error()) > 500 {
			t.Errorf("Decode(%s): an error of %d bytes", short, len(err.Error()))
		}
		if diff := cmp.Diff(in, discovery.Instance{Name: "n"}); diff != "" {
			t.Errorf("Decode(%s), got - want +:\n%s", short, diff)
		}
	}
}

func TestDecodeKeepsNothingOfData(t *testing.T) {
	data := []byte(`{"host":"abc","port":1,"id":"def","protocols":["ghi"]}`)
	in, err := Decode("n", data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 'X'
	}
	if in.Host != "abc" || in.ID != "def" || in.Protocols[0] != "ghi" {
		t.Errorf("got %+v, which changed with its data", in)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"host": "127.0.0.1", "port": 8001}`,
		`{"host":"127.0.0.1","port":8001,"id":"7f3a91c2e0b4d586","protocols":["rollcall/1"],"weight":100,"zone":"","version":"","metadata":{"a":"b"}}`,
		`{"host":"a","port":1,"tls":true}`, `{"host":"a","port":1,"tls":0}`,
		`{"host":"a","port":"7001"}`, `{"host":"a","port":1.5}`, `{"host":"a","port":1}x`, `[[[[`, `null`, `{"host":"\ud800","port":1}`,
		`{"name":"orders","address":"10.1.2.3","port":8080}`, `group=blue&weight=7`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := Decode("n", data)
		if err != nil {
			var typed *FieldError
			if !errors.As(err, &typed) || typed.Field == "" || typed.Fix == "" {
				t.Fatalf("got %#v, want a whole *FieldError", err)
			}
			return
		}
		written, err := Encode(in)
		if err != nil {
			t.Fatalf("Encode of what was read: %v", err)
		}
		again, err := Decode("n", written)
		if err != nil {
			t.Fatalf("Decode(%s): %v", written, err)
		}
		if diff := cmp.Diff(again, in, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read again - first +:\n%s", diff)
		}
		if !json.Valid(written) {
			t.Fatalf("not JSON: %s", written)
		}
	})
}

func TestSequence(t *testing.T) {
	tests := []struct {
		name string
		want int32
		ok   bool
	}{
		{"server0000000000", 0, true},
		{"server0000000042", 42, true},
		{"server2147483647", math.MaxInt32, true},
		{"server-2147483648", math.MinInt32, true},
		{"server-1000000000", -1_000_000_000, true},
		{"server-000000001", -1, true},
		{"server-0000000001", 0, false},
		{"server2147483648", 0, false},
		{"server+000000001", 0, false},
		{"server000000001", 0, false},
		{"server00000000001", 0, false},
		{"server000000000x", 0, false},
		{"server_000000001", 0, false},
		{"server", 0, false},
		{"", 0, false},
		{"member0000000001", 0, false},
	}
	for _, test := range tests {
		got, ok := Sequence(test.name)
		if got != test.want || ok != test.ok {
			t.Errorf("Sequence(%q): got %d, %v, want %d, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}

func TestCompareNames(t *testing.T) {
	order := []string{"server-2147483648", "server-000000002", "server0000000003", "server2147483647", "a", "server"}
	for i, a := range order {
		for j, b := range order {
			want := min(1, max(-1, i-j))
			if got := CompareNames(a, b); got != want {
				t.Errorf("CompareNames(%q, %q): got %d, want %d", a, b, got, want)
			}
		}
	}
}
