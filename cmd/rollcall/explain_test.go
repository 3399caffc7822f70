// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func TestCallExplain(t *testing.T) {
	target := zktest.Start(t).Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target})

	got := command(t, "call", target, divideMethod.Name, "--explain")
	got.check(t, statusOK, nil, []string{
		target + ": live list, 1 listed: 1 usable; policy p2c; ", one.entry, "usable", "EFFECTIVE",
		"answered by " + one.addr + ": it is the only usable one",
	})
	if got.stdout != "{\"value\":0}\n" {
		t.Errorf("stdout %q, want the reply alone", got.stdout)
	}

	refused := closedPort(t)
	both := "static://" + refused + "," + one.addr
	for range 100 { // until the dead one was drawn first
		got = command(t, "call", both, divideMethod.Name, "--explain", "--balance", "random", "-o", "json")
		got.check(t, statusOK, nil, nil)
		if !strings.Contains(got.stdout, `"attempts":[]`) {
			break
		}
	}
	var result resultJSON
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	e := result.Explanation
	if e == nil || len(e.Instances) != 2 || len(e.Attempts) != 1 || e.Picked != one.addr || e.Why != "1 failed before it; drawn by weight" {
		t.Fatalf("got %s", got.stdout)
	}
	if a := e.Attempts[0]; a.Address != refused || a.Phase != "dial" || a.Executed != "no" || !strings.Contains(a.Error, "refused") {
		t.Errorf("attempt: %+v", a)
	}

	got = command(t, "call", "static://"+refused, divideMethod.Name, "--explain")
	got.check(t, statusFailure, nil, []string{"tried " + refused + ": dial after ", "nobody answered", "rollcall: Unavailable"})

	absent := "zk://" + refused + "/rpc"
	got = command(t, "call", absent, divideMethod.Name, "--explain")
	got.check(t, statusFailure, nil, []string{absent + ": no list yet, 0 listed; policy p2c"})
	got = command(t, "call", absent, divideMethod.Name, "--explain", "-o", "json")
	got.check(t, statusFailure, []string{`"source":"none","list_age_ms":-1,`, `"counts":{"listed":0,"usable":0,"set_aside":0,`}, []string{"refused"})
	got = command(t, "call", "static://"+one.addr, divideMethod.Name, "--explain", "-o", "json")
	got.check(t, statusOK, []string{`"source":"static","list_age_ms":0,`}, nil)
}

// Every policy has a sentence on how it chooses.
func TestEveryPolicyIsExplained(t *testing.T) {
	for _, name := range balancer.PolicyNames() {
		if choiceOf[name] == "" {
			t.Errorf("%s is not explained", name)
		}
	}
}
