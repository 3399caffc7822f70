// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func TestCall(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	target := "static://" + one.addr
	tests := []struct {
		name   string
		stdin  string
		args   []string
		stdout string
	}{
		{"request", "", []string{divideMethod.Name, `{"num1":7,"num2":2}`}, "{\"value\":3.5}\n"},
		{"no request", "", []string{divideMethod.Name}, "{\"value\":0}\n"},
		{"stdin", "{\"num1\":4,\n\"num2\":2}\n", []string{divideMethod.Name, "-"}, "{\"value\":2}\n"},
		{"three times", "", []string{divideMethod.Name, "-n", "3", "--interval", "1ms"}, "{\"value\":0}\n{\"value\":0}\n{\"value\":0}\n"},
		{"metadata", "", []string{"Test/Metadata", "--metadata", "user=a=b", "--metadata", "empty="}, `{"text":"a=b \n"}` + "\n"},
		{"without bound", "", []string{divideMethod.Name, "--timeout", "0", "--idempotent", "--balance", "round_robin"}, "{\"value\":0}\n"},
		{"instance", "", []string{divideMethod.Name, "--instance", one.addr}, "{\"value\":0}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := commandWithInput(t, tt.stdin, append([]string{"call", target}, tt.args...)...)
			got.check(t, statusOK, nil, nil)
			if got.stdout != tt.stdout {
				t.Errorf("stdout %q, want %q", got.stdout, tt.stdout)
			}
		})
	}
}

func TestCallFails(t *testing.T) {
	registry := zktest.Start(t)
	one := serve(t, rollcall.ServerOptions{})
	target := "static://" + one.addr
	refused := closedPort(t)
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"handler's error", []string{target, divideMethod.Name, `{"num1":1,"num2":0}`}, []string{"rollcall: InvalidArgument INVALID_OPERATION: num2 is 0"}},
		{"unknown method", []string{target, "No/Such"}, []string{"Unimplemented UNKNOWN_METHOD", "No/Such", "not executed"}},
		{"request of another type", []string{target, divideMethod.Name, `{"num1":"six"}`}, []string{"InvalidArgument BAD_REQUEST", "not executed"}},
		{"deadline", []string{target, "Test/Wait", "--timeout", "20ms"}, []string{"DeadlineExceeded"}},
		{"refused", []string{"static://" + refused, divideMethod.Name}, []string{"Unavailable", "not executed", "tried " + refused, "refused"}},
		{"no registry", []string{"zk://" + refused + "/rpc", divideMethod.Name}, []string{"Unavailable REGISTRY_UNREACHABLE", "not executed", "refused"}},
		{"nobody", []string{registry.Target("/rpc"), divideMethod.Name}, []string{"Unavailable NO_INSTANCE", "not executed", "live list"}},
		{"unknown instance", []string{target, divideMethod.Name, "--instance", refused}, []string{"Unavailable NO_INSTANCE", refused}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, append([]string{"call"}, tt.args...)...)
			got.check(t, statusFailure, nil, tt.want)
			if got.stdout != "" {
				t.Errorf("stdout %q, want nothing", got.stdout)
			}
		})
	}
}

func TestCallJSON(t *testing.T) {
	target := zktest.Start(t).Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target})

	got := command(t, "call", target, divideMethod.Name, `{"num1":6,"num2":3}`, "-o", "json")
	got.check(t, statusOK, nil, nil)
	var ok resultJSON
	if err := json.Unmarshal([]byte(got.stdout), &ok); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	if ok.Instance != one.addr || ok.Entry != one.entry || ok.ElapsedUS <= 0 || string(ok.Reply) != `{"value":2}` || ok.Error != nil {
		t.Errorf("got %s, want the reply of %s, %s", got.stdout, one.addr, one.entry)
	}

	got = command(t, "call", target, divideMethod.Name, `{"num2":0}`, "-o", "json")
	got.check(t, statusFailure, nil, []string{"INVALID_OPERATION"})
	var failed resultJSON
	if err := json.Unmarshal([]byte(got.stdout), &failed); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	e := failed.Error
	if e == nil || e.Code != "InvalidArgument" || e.Reason != "INVALID_OPERATION" || e.Executed != "yes" || !strings.Contains(e.Message, "num2") {
		t.Errorf("got %s, want the handler's error", got.stdout)
	}
	if failed.Instance != one.addr || failed.Reply != nil {
		t.Errorf("got %s, want that %s answered, without a reply", got.stdout, one.addr)
	}

	got = command(t, "call", "static://"+closedPort(t), divideMethod.Name, "-o", "json")
	got.check(t, statusFailure, []string{`"instance":""`, `"code":"Unavailable"`, `"executed":"no"`}, []string{"refused"})
}

// Of several calls one that fails is enough for status 1, and the others are
// made.
func TestCallGoesOnAfterFailure(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	got := command(t, "call", "static://"+one.addr, divideMethod.Name, `{"num2":0}`, "-n", "2")
	got.check(t, statusFailure, nil, []string{"INVALID_OPERATION"})
	if n := strings.Count(got.stderr, "INVALID_OPERATION"); n != 2 {
		t.Errorf("%d errors, want 2: %s", n, got.stderr)
	}
}

func TestCallInterrupted(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	call := begin(t, "call", "static://"+one.addr, divideMethod.Name, "-n", "2", "--interval", "1h")
	line(t, call.stdout)
	call.stop()
	if got := line(t, call.stderr); got != "rollcall: interrupted after 1 of 2 calls" {
		t.Errorf("stderr %q", got)
	}
	if got := call.status(); got != statusFailure {
		t.Errorf("exit status %d, want %d", got, statusFailure)
	}
}

// The text of an error is a server's: it cannot control the terminal.
func TestErrorIsPrintable(t *testing.T) {
	one := serve(t, rollcall.ServerOptions{})
	got := command(t, "call", "static://"+one.addr, "Test/Escape")
	got.check(t, statusFailure, nil, []string{`rollcall: Internal \x1b[31m: first\n\x1b[2Jsecond`})
}

// What a server replies is data: it stays on its line, whatever it is.
func TestReplyAsLine(t *testing.T) {
	for _, tt := range []struct{ reply, want string }{
		{"{\n  \"a\": 1\n}\n", `{"a":1}`},
		{"not JSON\n\x1b[31m", `"not JSON\n\u001b[31m"`},
		{"", `""`},
		{"{\"a\": \"\u009b31m\u007f\"}", `{"a":"\u009b31m\u007f"}`},
	} {
		if got := string(asLine([]byte(tt.reply))); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.reply, got, tt.want)
		}
	}
}
