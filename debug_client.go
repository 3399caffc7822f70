// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"net/http"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// A ClientState is what a [Client] knows at one moment.
type ClientState struct {
	Target      string          `json:"target"`
	Balance     string          `json:"balance"`     // the policy's name
	Source      string          `json:"source"`      // of the list
	ListAgeMS   int64           `json:"list_age_ms"` // since the list was last known to be true; 0: it is live or static; negative: never
	SourceError string          `json:"source_error,omitempty"`
	Counts      balancer.Counts `json:"counts"`
	Panic       bool            `json:"panic"`        // fewer than half of the members are usable
	RetriesLeft float64         `json:"retries_left"` // in the retry budget
	Instances   []InstanceState `json:"instances"`
}

// An InstanceState is what a [Client] knows of one instance.
type InstanceState struct {
	Entry   string     `json:"entry"`
	Address string     `json:"address"`
	ID      string     `json:"id"`
	State   string     `json:"state"`
	Cause   string     `json:"cause,omitempty"` // of an ejection
	Until   *time.Time `json:"until,omitempty"` // when the state ends by itself

	Weight          int     `json:"weight"`
	EffectiveWeight float64 `json:"effective_weight"` // less while it is young or on trial
	InFlight        int64   `json:"in_flight"`
	LatencyUS       int64   `json:"latency_us"` // smoothed; 0: not known
	WaitUS          int64   `json:"wait_us"`    // what a further call would take, as p2c estimates it; 0: not known

	Connected   bool `json:"connected"`
	Connections int  `json:"connections"`
}

// State returns what the client knows now.
func (c *Client) State() ClientState {
	now, snap := time.Now(), c.Snapshot()
	r := c.service.report("", snap, nil)
	s := ClientState{
		Target: c.service.target, Balance: c.opts.Balancing.Policy.Name(), Source: snap.Source.String(), ListAgeMS: ageMS(r.ListAge),
		Counts: snap.Counts, Panic: snap.Panic, RetriesLeft: c.service.budget.left(now), Instances: make([]InstanceState, len(snap.Endpoints)),
	}
	if snap.Err != nil {
		s.SourceError = snap.Err.Error()
	}
	for i := range snap.Endpoints {
		s.Instances[i] = stateOf(now, &snap.Endpoints[i])
	}
	return s
}

// ageMS keeps what the sign of an age says: never is not now, nor is a moment ago.
func ageMS(age time.Duration) int64 {
	switch {
	case age < 0:
		return -1
	case age > 0:
		return max(age.Milliseconds(), 1)
	}
	return 0
}

func stateOf(now time.Time, es *balancer.EndpointState) InstanceState {
	e, p := es.Endpoint, peerOf(es.Endpoint)
	s := InstanceState{
		Entry: e.Instance.Name, Address: e.Instance.Addr(), ID: e.Instance.ID, State: es.State.String(),
		Weight: e.Instance.Weight, EffectiveWeight: es.Weight,
		InFlight: e.InFlight(), LatencyUS: e.Latency().Microseconds(), WaitUS: e.Wait(now).Microseconds(),
	}
	if es.Ejection != nil {
		s.Cause = es.Ejection.String()
	}
	if !es.Until.IsZero() {
		s.Until = &es.Until
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	foreign := 0
	for _, cp := range p.pools {
		foreign += cp.count()
	}
	s.Connections = len(p.conns) + foreign
	s.Connected = p.connected() != nil || foreign > 0
	return s
}

// DebugHandler returns a handler that answers with [Client.State] as JSON to those
// whom ClientOptions.Debug lets in: mount it where only operators come.
func (c *Client) DebugHandler() http.Handler {
	return newDebugPage("ClientOptions.Debug", c.opts.Debug, c.opts.Logger, c.State)
}
