// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	good := Instance{Host: "::1", Port: 8001, Weight: DefaultWeight, Protocols: []string{"divide"}}
	if err := good.Check(); err != nil {
		t.Errorf("Check of %+v: %v", good, err)
	}
	tests := []struct {
		field  string
		change func(*Instance)
	}{
		{"host", func(in *Instance) { in.Host = "" }},
		{"host", func(in *Instance) { in.Host = "[::1]" }},
		{"host", func(in *Instance) { in.Host = "fe80::1%eth0" }},
		{"host", func(in *Instance) { in.Host = "a:80" }},
		{"host", func(in *Instance) { in.Host = "a b" }},
		{"host", func(in *Instance) { in.Host = "a\n" }},
		{"host", func(in *Instance) { in.Host = "\xff" }},
		{"port", func(in *Instance) { in.Port = 0 }},
		{"port", func(in *Instance) { in.Port = 65536 }},
		{"weight", func(in *Instance) { in.Weight = -1 }},
		{"weight", func(in *Instance) { in.Weight = MaxWeight + 1 }},
		{"protocols", func(in *Instance) { in.Protocols = []string{""} }},
		{"protocols", func(in *Instance) { in.Protocols = []string{"\xff"} }},
		{"id", func(in *Instance) { in.ID = "\xff" }},
		{"zone", func(in *Instance) { in.Zone = "\xff" }},
		{"version", func(in *Instance) { in.Version = "\xff" }},
		{"metadata", func(in *Instance) { in.Metadata = map[string]string{"a": "\xff"} }},
	}
	for _, test := range tests {
		in := good
		test.change(&in)
		err := in.Check()
		var got *FieldError
		if !errors.As(err, &got) || got.Field != test.field || got.Fix == "" {
			t.Errorf("Check of %+v: got %v, want an error of %s", in, err, test.field)
		}
	}
}

func TestFieldErrorIsShort(t *testing.T) {
	err := NewFieldError("id", strings.Repeat("ä", 1000), "shorten it")
	if n := len(err.Error()); n > 200 {
		t.Errorf("got a text of %d bytes: %v", n, err)
	}
}

func TestAddrAndSpeaks(t *testing.T) {
	in := Instance{Host: "::1", Port: 80, Protocols: []string{"a"}}
	if got := in.Addr(); got != "[::1]:80" {
		t.Errorf("got %q, want [::1]:80", got)
	}
	if !in.Speaks("a") || in.Speaks("b") {
		t.Errorf("got Speaks(a) %v, Speaks(b) %v, want true, false", in.Speaks("a"), in.Speaks("b"))
	}
}
