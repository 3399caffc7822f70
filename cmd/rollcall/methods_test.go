// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// counting counts what a server is asked for its methods, and lets all in.
func counting(n *atomic.Int32) []rollcall.Admission {
	return []rollcall.Admission{func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		if call.Method == rollcall.MethodsMethod.Name {
			n.Add(1)
		}
		return nil, nil
	}}
}

// older makes a server one that does not know the standard methods.
func older(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
	if strings.HasPrefix(call.Method, "rollcall/") {
		return nil, rollcall.Errorf(rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, "method %q is not handled here", call.Method)
	}
	return nil, nil
}

func TestMethods(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	target := "static://" + one.addr
	got := command(t, "methods", target)
	got.check(t, statusOK, []string{
		"Divide/Divide (idempotent, json)\n  request  {num1: int, num2?: int}\n  reply    {value: float}\n",
		"Test/Wait (json)\n  request  {}\n", "and, as every server: rollcall/Health, rollcall/Methods\n",
	}, nil)

	got = command(t, "methods", target, "--instance", one.addr, "-o", "json")
	got.check(t, statusOK, nil, nil)
	var doc methodsJSON
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	if m := findMethod(doc.Methods, divideMethod.Name); doc.Instance != one.addr || m == nil || !m.Idempotent || len(m.Request.Fields) != 2 {
		t.Errorf("got %+v", doc)
	}

	old := serve(t, rollcall.ServerOptions{Admissions: []rollcall.Admission{older}})
	command(t, "methods", "static://"+old.addr).check(t, statusFailure, nil, []string{"does not tell its methods: its version of Rollcall is older"})
	command(t, "methods", "static://"+closedPort(t)).check(t, statusFailure, nil, []string{"Unavailable", "refused"})
}

// Who mistypes a method is told once which one may be meant, and only then is a
// further call made.
func TestCallUnknownMethod(t *testing.T) {
	var asked atomic.Int32
	one := serve(t, rollcall.ServerOptions{Admissions: counting(&asked)})
	target := "static://" + one.addr
	got := command(t, "call", target, "Divide/Divid", "-n", "3")
	got.check(t, statusFailure, nil, []string{"UNKNOWN_METHOD", "rollcall: did you mean Divide/Divide?\n"})
	if strings.Count(got.stderr, "did you mean") != 1 || asked.Load() != 1 {
		t.Errorf("asked %d times: %s", asked.Load(), got.stderr)
	}
	command(t, "call", target, "divide").check(t, statusFailure, nil, []string{"did you mean Divide/Divide?"})
	command(t, "call", target, "Frobnicate/All").check(t, statusFailure, nil, []string{"rollcall: rollcall methods lists"})
	asked.Store(0)
	command(t, "call", target, divideMethod.Name, `{"num3":1}`).check(t, statusOK, nil, nil) // nobody reads stderr
	if asked.Load() != 0 {
		t.Errorf("a call that went well asked for methods %d times", asked.Load())
	}

	old := serve(t, rollcall.ServerOptions{Admissions: []rollcall.Admission{older}})
	got = command(t, "call", "static://"+old.addr, "Divide/Divid")
	if got.status != statusFailure || strings.Contains(got.stderr, "mean") || strings.Contains(got.stderr, "lists") {
		t.Errorf("status %d, stderr %s", got.status, got.stderr)
	}
}

func TestCallCheck(t *testing.T) {
	var asked atomic.Int32
	one := serve(t, rollcall.ServerOptions{Admissions: counting(&asked)})
	call := []string{"call", "static://" + one.addr, divideMethod.Name}
	got := command(t, append(call, `{"num":6,"Num2":3}`, "--check", "-n", "2")...)
	got.check(t, statusOK, []string{"{\"value\":0}\n"}, []string{`rollcall: the request has no key "num": did you mean "num1" or "num2"?`})
	if asked.Load() != 1 || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("asked %d times: %s", asked.Load(), got.stderr)
	}
	command(t, append(call, `{"num1":6}`, "--check")...).check(t, statusOK, []string{"6"}, nil)
	command(t, append(call, `{"divisor":6}`, "--check")...).check(t, statusOK, nil, []string{`no key "divisor": it knows "num1", "num2"`})
	command(t, append(call, `[1]`, "--check")...).check(t, statusFailure, nil, []string{"BAD_REQUEST"})

	old := serve(t, rollcall.ServerOptions{Admissions: []rollcall.Admission{older}})
	command(t, "call", "static://"+old.addr, divideMethod.Name, "--check").check(t, statusOK, nil, []string{"the request is not checked: ", "older"})
}

// A skeleton can be sent as it is.
func TestCallSkeleton(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	target := "static://" + one.addr
	got := command(t, "call", target, divideMethod.Name, "--skeleton")
	got.check(t, statusOK, []string{"{\n  \"num1\": 0,\n  \"num2\": 0\n}\n"}, nil)
	command(t, "call", target, divideMethod.Name, strings.Replace(got.stdout, `num2": 0`, `num2": 1`, 1), "--check").check(t, statusOK, []string{`{"value":0}`}, nil)
	command(t, "call", target, "Divide/Divid", "--skeleton").check(t, statusFailure, nil, []string{"there is no method Divide/Divid: did you mean Divide/Divide?"})
	command(t, "call", target, divideMethod.Name, "{}", "--skeleton").check(t, statusUsage, nil, []string{`JSON "{}" together with --skeleton`})
}

// A method of every kind of shape.
var everyKind = rollcall.MethodInfo{
	Codecs: []rollcall.CodecInfo{{ID: rollcall.Proto.ID(), Name: "proto"}},
	Request: rollcall.Shape{Kind: rollcall.ShapeObject, Fields: []rollcall.ShapeField{
		{Name: "id", Shape: rollcall.Shape{Kind: rollcall.ShapeInt, Quoted: true}},
		{Name: "userName", Shape: rollcall.Shape{Kind: rollcall.ShapeString}, Optional: true},
		{Name: "state", Shape: rollcall.Shape{Kind: rollcall.ShapeEnum, Values: []string{"NEW", "OLD"}}},
		{Name: "left", Oneof: "side", Shape: rollcall.Shape{Kind: rollcall.ShapeBool}},
		{Name: "right", Oneof: "side", Shape: rollcall.Shape{Kind: rollcall.ShapeBool}},
		{Name: "data", Shape: rollcall.Shape{Kind: rollcall.ShapeBytes}},
		{Name: "pair", Shape: rollcall.Shape{Kind: rollcall.ShapeArray, Len: 2, Elem: &rollcall.Shape{Kind: rollcall.ShapeUint}}},
		{Name: "items", Shape: rollcall.Shape{Kind: rollcall.ShapeArray, Elem: &rollcall.Shape{
			Kind: rollcall.ShapeObject, Fields: []rollcall.ShapeField{
				{Name: "price", Shape: rollcall.Shape{Kind: rollcall.ShapeFloat}},
				{Name: "next", Shape: rollcall.Shape{Kind: rollcall.ShapeObject, Type: "shop.Item", Cut: true}},
			},
		}}},
		{Name: "by", Shape: rollcall.Shape{Kind: rollcall.ShapeMap, Key: rollcall.ShapeInt, Elem: &rollcall.Shape{Kind: rollcall.ShapeTime}}},
		{Name: "for", Shape: rollcall.Shape{Kind: rollcall.ShapeDuration}},
		{Name: "rest", Shape: rollcall.Shape{Kind: rollcall.ShapeAny}},
	}},
}

func TestShapes(t *testing.T) {
	const text = `{
  id: int in ""
  userName?: string
  state: NEW | OLD
  left: bool  (one of side)
  right: bool  (one of side)
  data: base64
  pair: [uint] of 2
  items: [{price: float, next: shop.Item {…}}]
  by: map of int to time
  for: duration
  rest: any
}`
	if got := describe(&everyKind.Request, ""); got != text {
		t.Errorf("got:\n%s", got)
	}
	var compact map[string]json.RawMessage
	made := skeleton(&everyKind.Request)
	if err := json.Unmarshal(made, &compact); err != nil {
		t.Fatalf("%v in %s", err, made)
	}
	for key, want := range map[string]string{
		"id": `"0"`, "userName": `"string"`, "state": `"NEW"`, "left": "false", "right": "", "data": `"YmFzZTY0"`, "pair": "[0,0]",
		"items": `[{"price":0,"next":null}]`, "by": `{"0":"2006-01-02T15:04:05Z"}`, "for": `"1.5s"`, "rest": "null",
	} {
		if got := string(slices.DeleteFunc([]byte(compact[key]), func(b byte) bool { return b == ' ' || b == '\n' })); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if found := unknownKeys(made, &everyKind); len(found) > 0 {
		t.Errorf("keys of the skeleton are unknown: %q", found)
	}
	request := `{"user_name":"x","ID":1,"items":[{"price":1},{"prize":2}],"by":{"7":"x"},"rest":{"any":1},"stat":3}`
	want := []string{
		`the request has no key "items[1].prize": did you mean "price"?`,
		`the request has no key "stat": did you mean "state"?`,
	}
	if found := unknownKeys([]byte(request), &everyKind); !slices.Equal(found, want) {
		t.Errorf("got %q, want %q", found, want)
	}
}

func TestSimilar(t *testing.T) {
	names := []string{"Divide/Divide", "Divide/Divine", "Shop/Order", "Shop/Orders"}
	for _, tt := range []struct {
		typed string
		want  []string
	}{
		{"Divide/Divid", []string{"Divide/Divide", "Divide/Divine"}},
		{"order", []string{"Shop/Order", "Shop/Orders"}},
		{"Shop/Odrers", []string{"Shop/Orders", "Shop/Order"}},
		{"Other/Thing", nil},
		{"", nil},
	} {
		if got := similar(tt.typed, names); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.typed, got, tt.want)
		}
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"straße", "strasse", 2}, {"ab", "ba", 2}} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
