// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "time"

// recentAnswers is how many of a connection's last answers are remembered, while it
// has calls: those of a tenth of a second at 20,000 a second.
const recentAnswers = 2048

// A recent is what a connection remembers of its last answers, so that a CANCEL that
// comes behind one is understood: the client has not had it in time. What waits in
// sockets, on either way, is the client's time and not known to the server.
type recent struct {
	answers []answered // by stream id modulo its length; nil: nothing was let in yet
}

type answered struct {
	id     uint64
	ticket Ticket
	budget time.Duration
}

// add remembers an answer to a request that was let in and had a deadline.
func (r *recent) add(q *ServerRequest) {
	if r.answers == nil {
		r.answers = make([]answered, recentAnswers)
	}
	r.answers[q.StreamID%recentAnswers] = answered{q.StreamID, q.Ticket, q.Budget}
}

// canceled tells the ticket of an answer that nobody waited for.
func (r *recent) canceled(id uint64) {
	if r.answers == nil {
		return
	}
	if a := &r.answers[id%recentAnswers]; a.id == id && a.ticket != nil {
		a.ticket.Unwanted(a.budget)
		a.ticket = nil
	}
}
