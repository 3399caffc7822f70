// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// HealthMethod asks one server how it is: [Server.Health]. Every server answers
// it, behind its admissions and interceptors, unless it has a handler of its own
// for that name.
//
//	health, err := rollcall.HealthMethod.CallWith(ctx, client, &rollcall.HealthRequest{}, rollcall.CallOptions{Instance: addr})
var HealthMethod = Method[HealthRequest, HealthReply]{Name: "rollcall/Health", Idempotent: true, Codec: JSON}

// A HealthRequest is the request of [HealthMethod]: nothing.
type HealthRequest struct{}

// A HealthReply is how a server is.
type HealthReply struct {
	// Ready: it serves, is to be in the list and, where it registers, is there.
	Ready bool `json:"ready"`

	// Why it is not ready, in one line; empty: it is.
	Why string `json:"why,omitempty"`

	Serving    bool `json:"serving"`    // it is to be in the list, see [Server.SetServing]; false also while it drains
	Draining   bool `json:"draining"`   // it stops in order
	Registered bool `json:"registered"` // it is in the list; false where it does not register
	InFlight   int  `json:"in_flight"`  // calls, the one that asks included
}

// Health returns how the server is.
func (s *Server) Health() HealthReply {
	h, _ := s.health()
	return h
}

// health is Health, and reports whether the server answers at all.
func (s *Server) health() (h HealthReply, alive bool) {
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	alive = conns != nil && s.life.Err() == nil
	if alive {
		h.InFlight, _ = conns.inFlight()
		h.Draining = conns.isDraining()
		h.Serving = !h.Draining && s.member.wanted()
	}
	unlisted := ""
	if s.opts.Registrar != nil || s.opts.Registry != "" {
		unlisted = "it is not in the list yet"
		if entry := s.member.entry(); entry != nil {
			status := entry.Status()
			h.Registered = status.Registered
			if status.Err != nil {
				unlisted = fmt.Sprintf("it is not in the list: %v", status.Err)
			}
		}
	}
	switch {
	case !alive:
		h.Why = "the server does not serve"
	case h.Draining:
		h.Why = "the server drains"
	case !h.Serving:
		h.Why = "the server is set not to serve"
	case unlisted != "" && !h.Registered:
		h.Why = strings.Join(strings.Fields(unlisted), " ")
	default:
		h.Ready = true
	}
	return h, alive
}

// isDraining reports whether clients have been told to go elsewhere.
func (c *connSet) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// HealthHandler returns a handler for probes. "/healthz" is answered with 200 while
// the server serves, also while it drains; "/readyz" with 200 while the server is
// ready as [Server.Health] has it; else they are answered with 503 and one line of
// text that says why, and any other path with 404. Who accepts application/json
// gets a [HealthReply]. It asks nobody who they are.
func (s *Server) HealthHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		health, alive := s.health()
		code, text := http.StatusServiceUnavailable, health.Why
		switch {
		case r.URL.Path == "/healthz" && alive:
			code, text = http.StatusOK, "ok"
		case r.URL.Path == "/readyz" && health.Ready:
			code, text = http.StatusOK, "ready"
		case r.URL.Path != "/healthz" && r.URL.Path != "/readyz":
			http.Error(w, "ask for /healthz or /readyz", http.StatusNotFound)
			return
		}
		if !readOnly(w, r) {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if acceptsJSON(r) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			json.NewEncoder(w).Encode(health) //nolint:errcheck,errchkjson // the reader has gone
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintln(w, text)
	})
}

// acceptsJSON reports whether a request names application/json in Accept.
func acceptsJSON(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(line, ",") {
			if media, _, err := mime.ParseMediaType(one); err == nil && media == "application/json" {
				return true
			}
		}
	}
	return false
}
