// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
)

// A call of a method by who is identified already.
func by(identity, method string) *rollcall.CallInfo {
	return &rollcall.CallInfo{Method: method, Peer: rollcall.Peer{Identity: identity}}
}

func TestPolicy(t *testing.T) {
	policy, err := auth.NewPolicy(map[string][]string{
		"Divide/Divide": {"billing", "spiffe://test/shop/*"},
		"Divide/*":      {"*"},
		"Divide/Reset":  {},
		"a/b/*":         {"deep"},
		"Plain":         {"plain"},
		"rollcall/*":    {"*"},
		"Half/Open":     {"s*", "billing"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		identity, method string
		allows           bool
	}{
		{"billing", "Divide/Divide", true},
		{"spiffe://test/shop/a", "Divide/Divide", true},
		{"spiffe://test/shop/", "Divide/Divide", true},
		{"spiffe://test/shop", "Divide/Divide", false},
		{"spiffe://test/shopping", "Divide/Divide", false},
		{"billing2", "Divide/Divide", false},
		{"Billing", "Divide/Divide", false},
		{"anybody", "Divide/Divide", false}, // the service's entry does not count
		{"anybody", "Divide/Other", true},
		{"anybody", "Divide/Reset", false},
		{"anybody", "Divide/", true},
		{"anybody", "Divide", false},
		{"anybody", "divide/Other", false},
		{"anybody", "Divide/a/b", false}, // of the service Divide/a
		{"deep", "a/b/c", true},
		{"deep", "a/b", false},
		{"plain", "Plain", true},
		{"plain", "Plain/Plain", false},
		{"shop", "Half/Open", true},
		{"s", "Half/Open", true},
		{"x", "Half/Open", false},
		{"anybody", "rollcall/Health", true},
		{"billing", "Unknown/Method", false},
		{"billing", "", false},
		{"", "Divide/Other", false},
		{"*", "Divide/Divide", false}, // a pattern is none to those who are called so
		{"spiffe://test/shop/*", "Divide/Divide", true},
	} {
		if got := policy.Allows(tt.identity, tt.method); got != tt.allows {
			t.Errorf("%q, %q: %v", tt.identity, tt.method, got)
		}
		_, err := policy.Admission()(t.Context(), by(tt.identity, tt.method))
		switch {
		case tt.allows && err != nil:
			t.Errorf("%q, %q: %v", tt.identity, tt.method, err)
		case tt.identity == "":
			wantError(t, err, rollcall.CodeUnauthenticated, auth.ReasonUnidentified, tt.method, "before the policy")
		case !tt.allows:
			wantError(t, err, rollcall.CodePermissionDenied, auth.ReasonNotAllowed, tt.identity, tt.method)
		}
	}
}

// "*" is for the methods that nothing else is said of.
func TestPolicyOfAll(t *testing.T) {
	policy, err := auth.NewPolicy(map[string][]string{"*": {"*"}, "Admin/*": {"operator"}})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]bool{"Any/Thing": true, "Plain": true, "Admin/Wipe": false} {
		if policy.Allows("billing", method) != want || policy.Allows("", method) {
			t.Errorf("%s: want %v, and nobody without identity", method, want)
		}
	}
	if none, err := auth.NewPolicy(nil); err != nil || none.Allows("billing", "Any/Thing") {
		t.Errorf("the policy without entries: %v", err)
	}
}

func TestPolicyErrors(t *testing.T) {
	for _, pattern := range []string{"", "/*", "Divide*", "*/Divide", "**", "Div*de/Divide", "*/*", "Divide/*/*", "Divide/D*", "\xff"} {
		_, err := auth.NewPolicy(map[string][]string{pattern: {"*"}, "Fine/*": {"*"}})
		wantText(t, err, "auth: policy: entry \"", "Service/*")
	}
	for _, identity := range []string{"", "**", "a*b", "*a", " a", "a ", "\xff"} {
		_, err := auth.NewPolicy(map[string][]string{"Divide/*": {"fine", identity}})
		wantText(t, err, "auth: policy: entry \"Divide/*\": identity 2, ", "write it out")
	}
	_, err := auth.NewPolicy(map[string][]string{"A*": nil, "B*": nil})
	wantText(t, err, "\"A*\"", "\"B*\"")
}

func TestPolicyFile(t *testing.T) {
	log := logged(t)
	synctest.Test(t, func(t *testing.T) {
		path := newFile(t, "{\n\t\"Divide/*\": [\"billing\"],\n\t\"rollcall/*\": [\"*\"]\n}\n")
		admit, err := auth.PolicyFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := func(identity string, in bool) {
			t.Helper()
			if _, err := admit(context.Background(), by(identity, "Divide/Divide")); (err == nil) != in {
				t.Errorf("%s: %v", identity, err)
			}
		}
		want("billing", true)
		want("shop", false)
		write(t, path, `{"Divide/*": ["shop"]}`)
		time.Sleep(time.Second)
		want("billing", false)
		want("shop", true)
		write(t, path, `{"Divide*": ["billing"]}`)
		for range 3 {
			time.Sleep(time.Second)
			want("shop", true)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want("shop", true)
		if log.count("level=WARN") != 2 || log.count(`Divide*`) != 1 || log.count("level=INFO") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
		wantError(t, func() error { _, err := admit(context.Background(), by("", "Divide/Divide")); return err }(), rollcall.CodeUnauthenticated, auth.ReasonUnidentified)
	})
}

func TestPolicyFileErrors(t *testing.T) {
	for content, says := range map[string]string{
		"":                                     "line 1: unexpected EOF",
		"[]":                                   "line 1: it begins with [",
		"3":                                    "it begins with 3",
		"{\n\"Divide/*\": [\"a\"],":            "line 2: ",
		"{\n\"Divide/*\": \"a\"}":              "line 2: entry \"Divide/*\": ",
		"{\"Divide/*\": [3]}":                  "entry \"Divide/*\": ",
		"{\"Divide/*\": [\"a\"]} {}":           "something follows",
		"{\"Divide/*\": [\"a\"]} x":            "something follows",
		"{\"A/*\": [\"a\"], \"A/*\": [\"b\"]}": "entry \"A/*\" is there twice",
		"{\"Divide*\": [\"a\"]}":               "entry \"Divide*\": write a method",
		"{\"Divide/*\": [\"a*b\"]}":            "entry \"Divide/*\": identity 1",
	} {
		path := newFile(t, content)
		_, err := auth.PolicyFile(path)
		wantText(t, err, "auth: policy file "+path, says)
	}
	_, err := auth.PolicyFile("/nowhere/policy")
	wantText(t, err, "auth: policy file /nowhere/policy", "name a file")
}
