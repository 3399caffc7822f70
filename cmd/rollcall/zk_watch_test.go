// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func testZKWatch(t *testing.T, addr string) {
	client, node := dial(t, addr), "zk://"+addr+"/watch"
	watch := begin(t, "zk", "watch", node)
	if got := line(t, watch.stderr); got != "watching /watch, which does not exist yet" {
		t.Errorf("stderr %q", got)
	}
	create(t, client, "/watch", nil, nil)
	create(t, client, "/watch/a", nil, nil)
	create(t, client, "/watch/a/\u202e", nil, nil)
	if _, err := client.Set(t.Context(), "/watch/a", []byte("x"), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "/watch/a/\u202e", zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"created /watch", "created /watch/a", "created /watch/a/?", "changed /watch/a", "deleted /watch/a/?"} {
		got := line(t, watch.stdout)
		if at, what, _ := strings.Cut(got, " "); len(at) != len("15:04:05.000") || what != want {
			t.Errorf("stdout %q, want a time and %q", got, want)
		}
	}
	watch.stop()
	if got := watch.status(); got != statusOK {
		t.Errorf("exit status %d, want %d", got, statusOK)
	}

	watch = begin(t, "zk", "watch", node, "-o", "json")
	if got := line(t, watch.stderr); got != "watching /watch" {
		t.Errorf("stderr %q", got)
	}
	create(t, client, "/watch/b", nil, nil)
	if got := event(t, watch); got.Event != "created" || got.Path != "/watch/b" || got.Time.IsZero() {
		t.Errorf("got %+v", got)
	}
}

// event returns the next line of a watch that prints JSON.
func event(t *testing.T, watch *running) (e eventJSON) {
	t.Helper()
	text := line(t, watch.stdout)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return e
}

// Where changes may have been missed the watch says so, on stderr and in the
// stream of documents, and then goes on.
func TestZKWatchMissed(t *testing.T) {
	registry := zktest.Start(t)
	watch := begin(t, "zk", "watch", registry.Target("/x"), "-o", "json")
	line(t, watch.stderr)
	registry.Restart()
	for !strings.Contains(line(t, watch.stderr), "the connection was lost: changes below /x may have been missed, read it again") {
	}
	if got := event(t, watch); got.Event != "missed" || got.Path != "/x" {
		t.Errorf("got %+v", got)
	}
	go io.Copy(io.Discard, watch.stderr) //nolint:errcheck // it ends with the command
	create(t, dial(t, registry.Addr()), "/x", nil, nil)
	if got := event(t, watch); got.Event != "created" || got.Path != "/x" {
		t.Errorf("got %+v", got)
	}
}

// A reader that is too slow is told on stderr alone where lines are for people.
func TestZKWatchEvents(t *testing.T) {
	for _, tt := range []struct {
		event          zk.Event
		stdout, stderr string
	}{
		{zk.Event{Type: zk.NodeDeleted, Path: "/x", Zxid: -1}, " deleted /x\n", ""},
		{zk.Event{Type: zk.Lost, Path: "/x", Zxid: -1}, "", " stdout was read too slowly: changes below /x may have been missed, read it again\n"},
		{zk.Event{Type: zk.Rearmed, Path: "/x", Zxid: -1}, "", " the connection was lost: changes below /x may have been missed, read it again\n"},
		{zk.Event{Type: 77, Path: "/x", Zxid: -1}, " event 77 /x\n", ""},
	} {
		var stdout, stderr strings.Builder
		z := &znodeCommand{output: formatTable, stdout: &stdout, stderr: &stderr}
		if err := z.printEvent(tt.event); err != nil {
			t.Fatal(err)
		}
		if _, got, _ := strings.Cut(stdout.String(), " "); got != strings.TrimPrefix(tt.stdout, " ") {
			t.Errorf("%v: stdout %q, want %q", tt.event, stdout.String(), tt.stdout)
		}
		if _, got, _ := strings.Cut(stderr.String(), " "); got != strings.TrimPrefix(tt.stderr, " ") {
			t.Errorf("%v: stderr %q, want %q", tt.event, stderr.String(), tt.stderr)
		}
	}
}
