// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// spoil puts an entry into the list that nobody can read, and returns its name.
func spoil(t *testing.T, registry *zktest.Server) string {
	t.Helper()
	client, err := zk.New([]string{registry.Addr()}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.EnsurePath(t.Context(), "/rpc"); err != nil {
		t.Fatal(err)
	}
	path, err := client.Create(t.Context(), "/rpc/server", []byte(`{"host":"x","port":"\u001b[31m"}`), zk.ModeEphemeralSequential, nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(path, "/rpc/")
}

func TestListTable(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one", Zone: "north", Version: "1.2", Weight: 7})
	two := serve(t, rollcall.ServerOptions{Registry: target, ID: "two"})
	bad := spoil(t, registry)
	got := command(t, "ls", target)
	got.check(t, statusOK, nil, nil)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	want := []string{
		`^ENTRY +ADDRESS +ID +WEIGHT +PROTOCOLS +TLS +ZONE +VERSION +AGE +OVERRIDE$`,
		`^` + one.entry + ` +` + one.addr + ` +one +7 +rollcall/1 +no +north +1\.2 +\d+s +-$`,
		`^` + two.entry + ` +` + two.addr + ` +two +100 +rollcall/1 +no +- +- +\d+s +-$`,
		`^skipped ` + bad + `: .*port`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), got.stdout)
	}
	for i, pattern := range want {
		if !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("line %q does not match %s", lines[i], pattern)
		}
	}
	if strings.Contains(got.stdout, "\x1b") {
		t.Errorf("an escape sequence of the registry reaches the terminal: %q", got.stdout)
	}
}

func TestListJSON(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one", Metadata: map[string]string{"rack": "7"}})
	bad := spoil(t, registry)
	got := command(t, "ls", "-o", "json", target)
	got.check(t, statusOK, nil, nil)
	var doc listJSON
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	if doc.Target != target || doc.Source != discovery.SourceLive.String() {
		t.Errorf("target %q, source %q", doc.Target, doc.Source)
	}
	if len(doc.Instances) != 1 || len(doc.Skipped) != 1 {
		t.Fatalf("%d instances and %d skipped, want one each: %s", len(doc.Instances), len(doc.Skipped), got.stdout)
	}
	if doc.Instances[0].Registered == nil || time.Since(*doc.Instances[0].Registered) > time.Minute {
		t.Errorf("registered at %v", doc.Instances[0].Registered)
	}
	doc.Instances[0].Registered = nil
	want := instanceJSON{
		Entry: one.entry, Address: one.addr, ID: "one", Weight: 100, Own: 100,
		Protocols: []string{"rollcall/1"}, Metadata: map[string]string{"rack": "7"},
	}
	if diff := cmp.Diff(doc.Instances[0], want); diff != "" {
		t.Errorf("instance, got - want +:\n%s", diff)
	}
	if doc.Skipped[0].Entry != bad || !strings.Contains(doc.Skipped[0].Error, "port") {
		t.Errorf("skipped %+v, want %s for its port", doc.Skipped[0], bad)
	}
}

func TestListStatic(t *testing.T) {
	command(t, "ls", "static://127.0.0.1:8001,[::1]:8002").check(t, statusOK, []string{"127.0.0.1:8001", "[::1]:8002"}, nil)
}

func TestListEmpty(t *testing.T) {
	target := zktest.Start(t).Target("/nobody")
	command(t, "ls", target).check(t, statusOK, []string{"ENTRY"}, []string{"no instance is registered in " + target})
	got := command(t, "ls", "-o", "json", target)
	got.check(t, statusOK, []string{`"instances": []`, `"skipped": []`}, nil)
}

func TestListUnreachable(t *testing.T) {
	target := "zk://" + closedPort(t) + "/rpc"
	got := command(t, "ls", target, "--timeout", "1500ms")
	got.check(t, statusFailure, nil, []string{"rollcall: " + target + ": the registry did not answer within 1.5s: ", "refused"})
	if got.stdout != "" {
		t.Errorf("stdout %q, want nothing", got.stdout)
	}
}

// stamped removes the time that a line begins with.
func stamped(t *testing.T, text string) string {
	t.Helper()
	if !regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d\d\d `).MatchString(text) {
		t.Fatalf("line %q does not begin with the time", text)
	}
	return text[len("15:04:05.000 "):]
}

func TestWatch(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	ls := begin(t, "ls", "--watch", target)
	if got := line(t, ls.stdout); !strings.HasPrefix(got, "ENTRY") {
		t.Errorf("first line %q, want the heads", got)
	}
	if got := line(t, ls.stdout); !strings.HasPrefix(got, one.entry) {
		t.Errorf("second line %q, want %s", got, one.entry)
	}
	two := serve(t, rollcall.ServerOptions{Registry: target, ID: "two", Zone: "south"})
	want := "+ " + two.entry + "  " + two.addr + "  weight 100  id two  protocols rollcall/1  zone south"
	if got := stamped(t, line(t, ls.stdout)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	one.stop()
	if got := stamped(t, line(t, ls.stdout)); !strings.HasPrefix(got, "- "+one.entry+"  "+one.addr) {
		t.Errorf("got %q, want that %s left", got, one.entry)
	}
	bad := spoil(t, registry)
	if got := stamped(t, line(t, ls.stdout)); !strings.HasPrefix(got, "! "+bad+" skipped: ") {
		t.Errorf("got %q, want that %s is skipped", got, bad)
	}
	registry.Stop()
	if got := stamped(t, line(t, ls.stderr)); !strings.Contains(got, "does not answer, the list is that of ") {
		t.Errorf("stderr %q, want that the registry does not answer", got)
	}
	registry.Restart()
	if got := stamped(t, line(t, ls.stderr)); got != "the registry answers again" {
		t.Errorf("stderr %q, want that the registry answers", got)
	}
	ls.stop()
	if got := ls.status(); got != statusOK {
		t.Errorf("exit status %d, want %d", got, statusOK)
	}
}

func TestWatchJSON(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	ls := begin(t, "ls", "-w", "-o", "json", target)
	var event struct {
		Time      time.Time
		Event     string
		Instances []instanceJSON
		Instance  instanceJSON
		Entry     string
	}
	next := func(want string) {
		t.Helper()
		text := line(t, ls.stdout)
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if event.Event != want || time.Since(event.Time) > time.Minute {
			t.Fatalf("event %q at %v, want %q now: %s", event.Event, event.Time, want, text)
		}
	}
	if next("list"); len(event.Instances) != 0 {
		t.Errorf("the list has %d instances, want none", len(event.Instances))
	}
	one := serve(t, rollcall.ServerOptions{Registry: target})
	if next("joined"); event.Instance.Address != one.addr {
		t.Errorf("%s joined, want %s", event.Instance.Address, one.addr)
	}
	one.stop()
	if next("left"); event.Instance.Entry != one.entry {
		t.Errorf("%s left, want %s", event.Instance.Entry, one.entry)
	}
	bad := spoil(t, registry)
	if next("skipped"); event.Entry != bad {
		t.Errorf("%s is skipped, want %s", event.Entry, bad)
	}
}

// A watch that begins before its registry says what it waits for and goes on.
func TestWatchWaits(t *testing.T) {
	registry := zktest.Start(t)
	registry.Stop()
	ls := begin(t, "ls", "--watch", registry.Target("/rpc"))
	if got := line(t, ls.stderr); !strings.Contains(got, registry.Target("/rpc")) || !strings.Contains(got, "waiting for the first list") {
		t.Errorf("stderr %q, want what it waits for", got)
	}
	registry.Restart()
	if got := line(t, ls.stderr); !strings.Contains(got, "the registry answers again") {
		t.Errorf("stderr %q, want that the registry answers", got)
	}
	if got := line(t, ls.stdout); !strings.HasPrefix(got, "ENTRY") {
		t.Errorf("stdout %q, want the heads", got)
	}
}

func TestAge(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	for _, tt := range []struct {
		since time.Duration
		want  string
	}{
		{-time.Hour, "0s"}, // a clock that is behind
		{0, "0s"},
		{119 * time.Second, "119s"},
		{2 * time.Minute, "2m"},
		{2 * time.Hour, "2h"},
		{50 * time.Hour, "2d"},
	} {
		if got := age(now.Add(-tt.since), now); got != tt.want {
			t.Errorf("age of %v: got %s, want %s", tt.since, got, tt.want)
		}
	}
	if got := age(time.Time{}, now); got != "-" {
		t.Errorf("unknown age: got %s, want -", got)
	}
}
