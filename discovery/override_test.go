// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOverridden(t *testing.T) {
	plain := Instance{Name: "n", ID: "i", Host: "h", Port: 1, Weight: 100}
	drain := &Order{By: "ann", At: time.Unix(7, 0), Reason: "kernel"}
	weight := &WeightOrder{Value: 0, Order: Order{By: "bob"}}
	with := func(w int, o *Override) Instance {
		in := plain
		in.Weight, in.Override = w, o
		return in
	}
	tests := []struct {
		override *Override
		want     Instance
		drained  bool
	}{
		{nil, plain, false},
		{&Override{ServerWeight: 7}, plain, false},
		{&Override{Drain: drain}, with(100, &Override{Drain: drain, ServerWeight: 100}), true},
		{&Override{Weight: weight}, with(0, &Override{Weight: weight, ServerWeight: 100}), false},
		{&Override{Drain: drain, Weight: weight}, with(0, &Override{Drain: drain, Weight: weight, ServerWeight: 100}), true},
	}
	for _, before := range tests {
		in := plain.Overridden(before.override)
		for _, test := range tests {
			got := in.Overridden(test.override)
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("%+v after %+v, got - want +:\n%s", test.override, before.override, diff)
			}
			if got.Drained() != test.drained {
				t.Errorf("%+v: drained %v, want %v", test.override, got.Drained(), test.drained)
			}
		}
	}
	if plain.Override != nil {
		t.Error("the instance itself has changed")
	}
}

func TestOverrideEqual(t *testing.T) {
	at := time.Unix(7, 0)
	list := []*Override{
		nil,
		{},
		{ServerWeight: 1},
		{Drain: &Order{}},
		{Drain: &Order{By: "ann"}},
		{Drain: &Order{At: at}},
		{Drain: &Order{Reason: "r"}},
		{Weight: &WeightOrder{}},
		{Weight: &WeightOrder{Value: 1}},
		{Weight: &WeightOrder{Value: 1, Order: Order{By: "ann"}}},
		{Drain: &Order{}, Weight: &WeightOrder{}},
	}
	for i, a := range list {
		for j, b := range list {
			if got := a.Equal(b); got != (i == j) {
				t.Errorf("%+v and %+v: got %v", a, b, got)
			}
		}
	}
	elsewhere := &Override{Drain: &Order{At: at.In(time.FixedZone("x", 3600))}}
	if !elsewhere.Equal(&Override{Drain: &Order{At: at}}) {
		t.Error("one moment in two zones is not the same")
	}
}
