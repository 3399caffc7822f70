// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// get returns the JSON that a debug page answers with.
func get[T any](t *testing.T, url string) (state T) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "application/json" {
		t.Fatalf("%s, %s", resp.Status, got)
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	return state
}

// oneUpdate is a resolver that tells nothing else.
type oneUpdate discovery.Update

func (u oneUpdate) Watch(ctx context.Context, deliver func(discovery.Update)) error {
	deliver(discovery.Update(u))
	<-ctx.Done()
	return ctx.Err()
}

// The age of a list that never came is not that of a live one.
func TestListAge(t *testing.T) {
	for _, tt := range []struct {
		update discovery.Update
		want   func(ms int64) bool
	}{
		{discovery.Update{Source: discovery.SourceNone, Err: errors.New("the registry is down")}, func(ms int64) bool { return ms < 0 }},
		{discovery.Update{Source: discovery.SourceLive, Confirmed: time.Now()}, func(ms int64) bool { return ms == 0 }},
		{discovery.Update{Source: discovery.SourceStatic, Confirmed: time.Now().Add(-time.Hour)}, func(ms int64) bool { return ms == 0 }},
		{discovery.Update{Source: discovery.SourceStale, Confirmed: time.Now()}, func(ms int64) bool { return ms > 0 }},
	} {
		c := newClient(t, oneUpdate(tt.update), rollcall.ClientOptions{})
		await(t, c, "the update", func() bool {
			return c.Snapshot().Source == tt.update.Source && errors.Is(c.Snapshot().Err, tt.update.Err)
		})
		if got := c.State().ListAgeMS; !tt.want(got) {
			t.Errorf("%v: %d ms", tt.update.Source, got)
		}
	}
}

func TestClientDebugPage(t *testing.T) {
	registry := new(discovery.Memory)
	s := startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	page := httptest.NewServer(c.DebugHandler())
	defer page.Close()
	state := get[rollcall.ClientState](t, page.URL)
	if state.Target != "memory" || state.Balance != "p2c" || state.Counts.Usable != 1 || state.RetriesLeft < 10 || len(state.Instances) != 1 {
		t.Fatalf("got %+v", state)
	}
	in := state.Instances[0]
	if in.Address != s.addr || in.State != "usable" || !in.Connected || in.Connections != 1 || in.LatencyUS == 0 || in.EffectiveWeight == 0 || in.InFlight != 0 {
		t.Errorf("got %+v", in)
	}
	counts := get[struct {
		Counts map[string]int `json:"counts"`
	}](t, page.URL).Counts
	if _, ok := counts["set_aside"]; !ok || counts["usable"] != 1 {
		t.Errorf("counts are called %v", counts)
	}
	resp, err := http.Post(page.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

func TestServerDebugPage(t *testing.T) {
	debug := freeAddr(t)
	s, _, release := startHolding(t, rollcall.ServerOptions{ID: "a", DebugAddr: debug})
	state := get[rollcall.ServerState](t, "http://"+debug)
	if r := state.Registration; r == nil || !r.Registered || !strings.HasPrefix(r.Entry, "server") || r.Error != "" {
		t.Errorf("registration: %+v", r)
	}
	if !slices.Equal(state.Methods, []string{"Divide/Divide", "Hold"}) || state.InFlight != 1 || state.Open != 1 || len(state.Connections) != 1 || !state.Connections[0].Rollcall || state.Draining {
		t.Errorf("got %+v", state)
	}
	s.drain()
	for !state.Refusing {
		state = get[rollcall.ServerState](t, "http://"+debug)
	}
	if r := state.Registration; !state.Draining || r.Registered || r.Error == "" {
		t.Errorf("draining: got %+v, %+v", state, r)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	<-s.ended
	if _, err := http.Get("http://" + debug); err == nil {
		t.Error("the page outlives the server")
	}
}

// A report tells of a call that succeeded as well.
func TestReportOfASuccess(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	var report rollcall.Report
	for _, num2 := range []int32{1, 0} {
		report = rollcall.Report{}
		_, err := divide.CallWith(within(t), c, &fraction{Num2: num2}, rollcall.CallOptions{Report: &report})
		if (err == nil) != (num2 != 0) || report.Method != divide.Name || report.Counts.Usable != 1 {
			t.Errorf("got %v and %+v", err, report)
		}
	}
	if len(report.Attempts) != 1 {
		t.Errorf("the attempt that failed is missing: %+v", report)
	}
}
