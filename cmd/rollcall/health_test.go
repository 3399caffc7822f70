// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func TestHealth(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	command(t, "health", target).check(t, statusFailure, nil, []string{"no instance is registered in " + target})

	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	two := serve(t, rollcall.ServerOptions{Registry: target, ID: "two", Weight: -1}) // never picked: asked all the same
	got := command(t, "health", target)
	got.check(t, statusOK, nil, nil)
	for _, s := range []server{one, two} {
		if row := regexp.MustCompile(`(?m)^` + s.entry + ` +` + s.addr + ` +ready +0 +\S+ +-$`); !row.MatchString(got.stdout) {
			t.Errorf("no row %s in:\n%s", row, got.stdout)
		}
	}
	command(t, "drain", target, one.addr, "--force").check(t, statusOK, nil, nil)
	command(t, "health", target).check(t, statusOK, []string{one.addr}, nil)

	// One that cannot be asked, and one that is too old to tell.
	old := serve(t, rollcall.ServerOptions{Admissions: []rollcall.Admission{older}})
	shut := closedPort(t)
	got = command(t, "health", "static://"+old.addr+","+shut+","+one.addr, "-o", "json")
	got.check(t, statusFailure, nil, []string{"rollcall: 1 of 3 instances are not ready"})
	var doc healthJSON
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	want := map[string]string{old.addr: "answers", shut: "unreachable", one.addr: "ready"}
	for _, in := range doc.Instances {
		if in.State != want[in.Address] || in.Ready != (in.State != "unreachable") || (in.Why == "") != in.Ready {
			t.Errorf("got %+v, want %s", in, want[in.Address])
		}
	}
	if doc.Ready != 2 || len(doc.Instances) != 3 {
		t.Errorf("got %s", got.stdout)
	}

	closed := serve(t, rollcall.ServerOptions{Admissions: []rollcall.Admission{func(context.Context, *rollcall.CallInfo) (context.Context, error) {
		return nil, rollcall.Errorf(rollcall.CodePermissionDenied, "", "not for you")
	}}})
	command(t, "health", "static://"+closed.addr).check(t, statusFailure, []string{"refuses", "PermissionDenied: not for you"}, []string{"1 of 1"})
}
