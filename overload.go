// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/overload"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// The metadata of a request that says how much depends on it: a server that is asked
// for more than it can do refuses sheddable calls first and critical ones last.
// Anything else, and nothing, is the default.
const (
	MetadataPriority  = "priority"
	PriorityCritical  = "critical"
	PrioritySheddable = "sheddable"
)

func priorityOf(m Metadata) overload.Priority {
	switch m[MetadataPriority] { // no Metadata: ""
	case PriorityCritical:
		return overload.Critical
	case PrioritySheddable:
		return overload.Sheddable
	}
	return overload.Default
}

// A gate counts the calls of a method that are in hand, and refuses those that are
// too many for it or for the server.
type gate struct {
	server  *Server
	limiter *overload.Limiter // always counts; refuses where the server sheds load
	most    int64             // calls in hand, by ServerOptions.MethodMaxCalls; 0: no bound
}

func newGate(s *Server, method string) *gate {
	return &gate{server: s, limiter: overload.New(), most: s.opts.mostCalls(method)}
}

// begin lets a call in, whose end must follow, or returns its refusal. left is the
// time that it has; 0: all there is.
func (g *gate) begin(method string, left time.Duration, m Metadata) *transport.RemoteError {
	s := g.server
	if g.most > 0 && g.limiter.InHand() >= g.most {
		return busy("%s: %d calls are in hand, as many as ServerOptions.MethodMaxCalls allows", method, g.most)
	}
	if most := int64(s.opts.MaxCalls); most > 0 && s.inHand.Add(1) > most {
		s.inHand.Add(-1)
		return busy("%d calls are in hand, as many as ServerOptions.MaxCalls allows", most)
	}
	if g.limiter.Begin(left, priorityOf(m)) {
		return nil
	}
	if s.opts.MaxCalls > 0 {
		s.inHand.Add(-1)
	}
	return busy("%s: the server is overloaded: %d calls are in hand, further ones would be late", method, g.limiter.InHand())
}

// end ends a call that was let in. budget is the time that it had, 0 for all there
// is; late, that nobody waits for its answer.
func (g *gate) end(method string, now time.Time, late bool, budget time.Duration) {
	s := g.server
	if s.opts.MaxCalls > 0 {
		s.inHand.Add(-1)
	}
	switch {
	case budget <= 0 || s.opts.KeepAllCalls:
		g.limiter.End()
	case g.limiter.EndBy(now, late, budget):
		if limit := g.limiter.Limit(); limit > 0 {
			s.log.Warn("overloaded: calls are late, so some are refused", "method", method, "calls_in_hand", limit)
		} else {
			s.opts.Logger.Info("no call is refused for overload any more", "method", method, "refused", g.limiter.Refused())
		}
	}
}

// busy is the answer of a server that has too much to do.
func busy(format string, args ...any) *transport.RemoteError {
	return refuse(CodeUnavailable, ReasonBusy, fmt.Sprintf(format, args...))
}

// letIn decides whether a request of Rollcall's own protocol is let in. Who is not
// handled here is answered later; Rollcall's own methods are for those who look after
// the server.
func (s *Server) letIn(req *transport.ServerRequest) (transport.Ticket, *transport.RemoteError) {
	h := s.method(req.Method)
	if h == nil || h.gate == nil {
		return nil, nil
	}
	if refusal := h.gate.begin(h.name, req.Budget, req.Metadata); refusal != nil {
		return nil, refusal
	}
	return h, nil
}

// Ended implements [transport.Ticket].
func (h *handled) Ended(req *transport.ServerRequest, now time.Time, late bool) {
	h.gate.end(h.name, now, late, req.Budget)
}

// Unwanted implements [transport.Ticket].
func (h *handled) Unwanted(budget time.Duration) { h.gate.limiter.Late(budget) }

// mostCalls returns how many calls of a method may be in hand; 0: there is no bound.
func (o *ServerOptions) mostCalls(method string) int64 {
	if most, ok := o.MethodMaxCalls[method]; ok {
		return int64(most)
	}
	if i := strings.LastIndexByte(method, '/'); i > 0 {
		return int64(o.MethodMaxCalls[method[:i]+"/*"])
	}
	return 0
}

// checkMaxCalls reports bounds that cannot be meant.
func (o *ServerOptions) checkMaxCalls(bad func(format string, args ...any)) {
	if o.MaxCalls < 0 {
		bad("MaxCalls %d: give a number of calls, or 0 for no bound", o.MaxCalls)
	}
	for name, most := range o.MethodMaxCalls {
		if most < 0 {
			bad("MethodMaxCalls[%q] %d: give a number of calls, or 0 for no bound", name, most)
		}
		if err := checkMethodName(strings.TrimSuffix(name, "/*")); err != nil {
			bad("MethodMaxCalls[%q]: give the name of a method, or \"Service/*\": %w", name, err)
		}
	}
}
