// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// probe asks a server's health pages and demands the codes and a word of why.
func probe(t *testing.T, s *running, what string, live, ready int, why string) {
	t.Helper()
	web := webClient(t, nil, 1)
	if resp, _ := fetch(t, web, "http://"+s.addr+"/healthz"); resp.StatusCode != live {
		t.Errorf("%s: /healthz is %s, want %d", what, resp.Status, live)
	}
	resp, body := fetch(t, web, "http://"+s.addr+"/readyz")
	if resp.StatusCode != ready || !strings.Contains(body, why) || strings.Count(body, "\n") != 1 {
		t.Errorf("%s: /readyz is %s, %q, want %d and %q", what, resp.Status, body, ready, why)
	}
	if h := s.Health(); h.Ready != (ready == http.StatusOK) || !strings.Contains(body, h.Why) {
		t.Errorf("%s: Health is %+v", what, h)
	}
}

// startHealthy serves divide and the health pages on one port.
func startHealthy(t *testing.T, opts rollcall.ServerOptions) *running {
	t.Helper()
	return start(t, "", opts, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
		s.HandleHTTP("/", s.HealthHandler())
	})
}

func TestHealthHandler(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	registry := new(discovery.Memory)
	s := startHealthy(t, rollcall.ServerOptions{Registrar: registry, ID: "a", DrainDelay: time.Hour})
	c := staticClient(t, s.addr)
	probe(t, s, "at first", http.StatusOK, http.StatusOK, "ready")
	s.SetServing(false)
	probe(t, s, "set not to serve", http.StatusOK, http.StatusServiceUnavailable, "set not to serve")
	if h, err := rollcall.HealthMethod.Call(within(t), c, &rollcall.HealthRequest{}); err != nil || h.Ready || h.Serving || h.Registered || h.InFlight != 1 || h.Why == "" {
		t.Errorf("the method says %+v, %v", h, err)
	}
	s.SetServing(true)
	probe(t, s, "set to serve", http.StatusOK, http.StatusOK, "ready")
	if h, err := rollcall.HealthMethod.Call(within(t), c, &rollcall.HealthRequest{}); err != nil || *h != (rollcall.HealthReply{Ready: true, Serving: true, Registered: true, InFlight: 1}) {
		t.Errorf("the method says %+v, %v", h, err)
	}
	s.drain()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !s.State().Draining {
		<-tick.C
	}
	probe(t, s, "draining", http.StatusOK, http.StatusServiceUnavailable, "drains")
	s.SetServing(true)
	probe(t, s, "set to serve while it drains", http.StatusOK, http.StatusServiceUnavailable, "drains")
	if len(instances(t, registry)) != 0 {
		t.Error("a server that drains is put back into the list")
	}
	s.Close()
	if h := s.Health(); h.Ready || h.Serving || h.Why != "the server does not serve" {
		t.Errorf("after the end: %+v", h)
	}
}

// The pages keep to what HTTP asks of them.
func TestHealthHandlerForms(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	s := startHealthy(t, rollcall.ServerOptions{})
	web := webClient(t, nil, 1)
	for _, tt := range []struct {
		method, path, accept string
		code                 int
		contentType, body    string
	}{
		{"GET", "/healthz", "", 200, "text/plain; charset=utf-8", "ok\n"},
		{"HEAD", "/healthz", "", 200, "text/plain; charset=utf-8", ""},
		{"HEAD", "/readyz", "application/json", 200, "application/json", ""},
		{"GET", "/readyz", "text/html, application/json;q=0.9", 200, "application/json", `"ready":true`},
		{"GET", "/readyz", "*/*", 200, "text/plain; charset=utf-8", "ready\n"},
		{"POST", "/readyz", "", 405, "", ""},
		{"GET", "/", "", 404, "", ""},
		{"GET", "/readyz/", "", 404, "", ""},
	} {
		req, err := http.NewRequestWithContext(within(t), tt.method, "http://"+s.addr+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.accept != "" {
			req.Header.Set("Accept", tt.accept)
		}
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.code || (tt.contentType != "" && resp.Header.Get("Content-Type") != tt.contentType) || !strings.Contains(string(body), tt.body) {
			t.Errorf("%s %s: got %s, %q, %q", tt.method, tt.path, resp.Status, resp.Header.Get("Content-Type"), body)
		}
		if strings.Contains(tt.body, "{") && !json.Valid(body) {
			t.Errorf("%q is not JSON", body)
		}
	}
}

// A server that cannot register is alive and not ready, and says why; when the
// registry has come it is ready. Taken out of the list and put back it has the ID
// that it had.
func TestHealthWithARegistry(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	registry := zktest.Start(t)
	registry.Stop()
	s := startHealthy(t, rollcall.ServerOptions{Registry: registry.Target("/rpc"), ID: "a", ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}})
	probe(t, s, "without its registry", http.StatusOK, http.StatusServiceUnavailable, "not in the list")
	registry.Restart()
	c, err := rollcall.NewClient(registry.Target("/rpc"), rollcall.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if _, err := s.Registered(within(t)); err != nil {
			t.Fatal(err)
		}
		probe(t, s, "registered", http.StatusOK, http.StatusOK, "ready")
		await(t, c, "the entry", func() bool {
			list := c.Snapshot().Endpoints
			return c.Snapshot().Counts.Usable == 1 && len(list) == 1 && list[0].Endpoint.Instance.ID == "a"
		})
		s.SetServing(false)
		await(t, c, "the leave", func() bool { return c.Snapshot().Counts.Listed == 0 })
		probe(t, s, "set not to serve", http.StatusOK, http.StatusServiceUnavailable, "set not to serve")
		if _, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{Num2: 1}); err != nil {
			t.Errorf("a call that still comes: %v", err)
		}
		s.SetServing(true)
	}
}

// SetServing may be called by many at once, during a drain too: the last one, or
// the drain, counts.
func TestSetServingFromManyGoroutines(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	registry := new(discovery.Memory)
	s := startHealthy(t, rollcall.ServerOptions{Registrar: registry, ID: "a", DrainDelay: -1})
	flip := func() {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 20 {
					s.SetServing((i+j)%2 == 0)
					s.Health()
				}
			})
		}
		all.Wait()
	}
	flip()
	s.SetServing(true)
	if n := len(instances(t, registry)); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	s.drain()
	flip()
	<-s.ended
	s.SetServing(true)
	if n := len(instances(t, registry)); n != 0 {
		t.Errorf("%d entries after the end", n)
	}
}

// The standard methods pass the admissions, and a handler of the user's own takes
// their place.
func TestStandardMethods(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	admitted := make(chan string, 10)
	own := rollcall.HealthMethod
	s := start(t, "", rollcall.ServerOptions{Admissions: []rollcall.Admission{func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		admitted <- call.Method
		if call.Method == rollcall.MethodsMethod.Name {
			return nil, rollcall.Errorf(rollcall.CodePermissionDenied, "NO", "no")
		}
		return nil, nil
	}}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
		rollcall.Handle(s, own, func(context.Context, *rollcall.HealthRequest) (*rollcall.HealthReply, error) {
			return &rollcall.HealthReply{Why: "mine"}, nil
		})
	})
	c := staticClient(t, s.addr)
	if h, err := rollcall.HealthMethod.Call(within(t), c, &rollcall.HealthRequest{}); err != nil || h.Why != "mine" {
		t.Errorf("got %+v, %v, want the user's own", h, err)
	}
	_, err := rollcall.MethodsMethod.Call(within(t), c, &rollcall.MethodsRequest{})
	wantError(t, err, rollcall.CodePermissionDenied, "NO", rollcall.ExecutedNo)
	if a, b := <-admitted, <-admitted; a != "rollcall/Health" || b != "rollcall/Methods" {
		t.Errorf("admitted %s and %s", a, b)
	}
}
