// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"reflect"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// No event of a client's is left out: the panic of every function is contained, and
// what it returns then changes nothing.
func TestEveryClientEventIsContained(t *testing.T) {
	var events ClientEvents
	each := func(v reflect.Value, f func(name string, v reflect.Value)) {
		for i := range v.NumField() {
			f(v.Type().Field(i).Name, v.Field(i))
		}
	}
	each(reflect.ValueOf(&events).Elem(), func(name string, v reflect.Value) {
		v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { panic(name) }))
	})
	contained := containedEvents(loglimit.New(nil, nil), &events)
	each(reflect.ValueOf(contained), func(name string, v reflect.Value) {
		if v.IsNil() {
			t.Fatalf("%s is left out", name)
		}
		var in []reflect.Value
		for arg := range v.Type().Ins() {
			in = append(in, reflect.Zero(arg))
		}
		for _, out := range v.Call(in) {
			if !out.IsZero() {
				t.Errorf("%s returns %v", name, out)
			}
		}
	})
	none := containedEvents(nil, &ClientEvents{})
	each(reflect.ValueOf(none), func(name string, v reflect.Value) {
		if !v.IsNil() {
			t.Errorf("%s is there though nobody wants it: a client that nobody sees pays for nothing", name)
		}
	})
}
