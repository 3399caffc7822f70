// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"time"
)

// deregisterGrace is how long a drained server waits for a registry that does
// not answer before it leaves the entry to the session's end.
const deregisterGrace = time.Second

// stopGrace is how long a registrar has to return when it is not to wait any longer.
const stopGrace = 100 * time.Millisecond

// drain ends the server without failing a call: leave the list, tell the
// clients, serve on for those who do not know yet, refuse what is new, finish
// what is in flight. Close cuts every wait short.
func (s *Server) drain(conns *connSet) {
	log, begun := s.opts.Logger, time.Now()
	tellPhase := func(phase DrainPhase, err error) {
		calls, open := conns.inFlight()
		tell(s, s.opts.Events.Drain, DrainInfo{Phase: phase, InFlight: calls, Open: open, Elapsed: time.Since(begun), Err: err})
	}
	log.Info("draining", "delay", s.opts.DrainDelay, "timeout", s.opts.DrainTimeout)
	tellPhase(DrainBegun, nil)
	leaving, stop := context.WithCancel(context.Background())
	defer stop()
	left := make(chan error, 1)
	go func() {
		err := s.member.leave(leaving)
		tellPhase(DrainLeft, err)
		left <- err
	}()

	conns.goAway()
	s.pause(s.opts.DrainDelay, nil)

	conns.stopAccepting()
	if open := conns.refuse(); open > 0 {
		calls, _ := conns.inFlight()
		log.Info("waiting for calls in flight", "connections", open, "calls", calls)
	}
	tellPhase(DrainRefusing, nil)
	if s.pause(s.opts.DrainTimeout, conns.drained()) {
		tellPhase(DrainDone, nil)
	} else {
		log.Warn("calls in flight are cancelled", "timeout", s.opts.DrainTimeout)
		tellPhase(DrainCancelled, nil)
	}

	grace := time.AfterFunc(deregisterGrace, stop)
	defer grace.Stop()
	select {
	case err := <-left:
		if err != nil {
			log.Warn("the entry could not be removed, the session's end will", "error", err)
		}
	case <-s.life.Done(): // the session's end removes the entry
		stop()
		select {
		case <-left: //nolint:errcheck // the session's end removes the entry
		case <-time.After(stopGrace):
		}
	case <-time.After(deregisterGrace + stopGrace):
		log.Warn("the registrar does not return, it is left alone", "timeout", deregisterGrace)
	}
}

// pause waits for d, for done, or for Close, and reports whether done came.
func (s *Server) pause(d time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
	}
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-s.life.Done():
	}
	return false
}
