// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "time"

// Failed tells that the connection to the instance was refused, reset or found
// dead; dialed: a dial failed, else a connection that stood has died. The
// instance is set aside; one that lingers or leaves is forgotten when its dial
// failed. Of an endpoint that is no longer known nothing is noted.
func (r *Roster) Failed(now time.Time, e *Endpoint, dialed bool) {
	s := r.known(e)
	if s == nil {
		return
	}
	if !s.listed && dialed {
		r.forget(s)
		r.sweep()
		return
	}
	r.learn(s)
	if s.silent {
		s.silent = false // it is dead
		r.touch(s)
	}
	if dialed && !s.refused {
		s.refused = true
		r.touch(s)
	}
	if s.aside && !s.probing && now.Before(s.resume) {
		return // the pause this failure would begin is running
	}
	r.touch(s)
	if !s.aside && !s.recovered.IsZero() && now.Sub(s.recovered) >= stableAfter {
		s.strikes = 0
	}
	s.ejection = nil // from here on probes tell
	s.ended = s.draining()
	r.postpone(now, s)
	s.aside = true
	r.hasten(now)
}

// postpone has the slot wait for its next probe.
func (r *Roster) postpone(now time.Time, s *slot) {
	s.resume = now.Add(r.pause(s.strikes))
	s.strikes++
	s.probing = false
}

// Recovered tells that a connection to the instance stands: by a probe or by a
// call. What was set aside is usable again; what lingers goes on to linger, for
// it is the list that it misses.
func (r *Roster) Recovered(now time.Time, e *Endpoint) {
	s := r.known(e)
	if s == nil {
		return
	}
	s.met = true
	r.learn(s)
	if !s.aside && !s.refused && !s.silent && !s.ended {
		return
	}
	s.aside, s.refused, s.silent = false, false, false
	s.resume, s.recovered = time.Time{}, now
	if s.ended {
		s.resume = now // there may be a word that it drains on this connection too
	} else {
		s.probing = false
	}
	s.current.load.streak.Store(0) // of the calls that died with the connection
	r.touch(s)
}

// Probed tells that the instance has answered a probe: what Recovered does, and where
// it drained on a connection that has ended, and says nothing of it on the new one,
// that is over.
func (r *Roster) Probed(now time.Time, e *Endpoint) {
	s := r.known(e)
	if s == nil {
		return
	}
	if s.ended {
		s.drained, s.ended = time.Time{}, false
		r.touch(s)
	}
	s.probing = false
	r.touch(s)
	r.Recovered(now, e)
}

// Unprobed tells that a probe came to nothing for a reason that is not the
// instance's: nothing is known of it that was not before, and it is probed again
// after a longer pause.
func (r *Roster) Unprobed(now time.Time, e *Endpoint) {
	if s := r.known(e); s != nil && s.probing {
		r.postpone(now, s)
		r.touch(s)
		r.hasten(now)
	}
}

// Silent tells that nothing comes on the connection to the instance though it was
// asked to show that it lives, or that something has come again. A silent
// instance is set aside at once and taken back at once, without a pause or a
// probe: the connection itself shows how it goes on.
func (r *Roster) Silent(_ time.Time, e *Endpoint, silent bool) {
	if s := r.known(e); s != nil && s.silent != silent {
		s.silent = silent
		r.touch(s)
	}
}

// Draining tells that a server has announced, on the connection of e, that the
// instance of that id leaves. An empty id, and an e whose own ID is not known,
// mean e itself. The instance is not picked until its entry is gone, until DrainFor
// has passed, or until it has ended that connection and answers a probe on another
// one; the list does not change that, but a younger entry does.
// While its entry is gone it is leaving: the last resort, for it may still serve.
func (r *Roster) Draining(now time.Time, id string, e *Endpoint) {
	if s := r.known(e); s != nil && (id == "" || s.key.id == "") {
		r.drain(now, s)
	}
	if id != "" {
		for _, s := range r.kin[key{id: id}] {
			r.drain(now, s)
		}
	}
}

func (r *Roster) drain(now time.Time, s *slot) {
	if r.opts.DrainFor > 0 {
		s.drained, s.ended = now.Add(r.opts.DrainFor), false
		s.leaves = s.drained
		r.touch(s)
	}
}

// Left tells that an instance which announced its leave has refused a call
// for that reason, or ended its connection: if it is leaving, it has left. While it
// is listed it is probed: it may have been restarted.
func (r *Roster) Left(now time.Time, e *Endpoint) {
	s := r.known(e)
	switch {
	case s == nil:
	case s.state() == StateLeaving:
		r.forget(s)
		r.sweep()
	case s.draining() && s.listed && !s.ended:
		r.learn(s)
		s.ended = true
		r.postpone(now, s)
		r.touch(s)
		r.hasten(now)
	}
}

// Probes returns the endpoints whose pause has ended and that are not being
// probed. The caller dials each of them in the background, once, waits for an
// answer, and then calls Probed, Failed or Unprobed.
func (r *Roster) Probes(now time.Time) []*Endpoint {
	if due, ok := r.Next(now); !ok || now.Before(due) {
		return nil
	}
	var list []*Endpoint
	for _, s := range r.agenda.due(now) {
		if s.probeable() && !now.Before(s.resume) {
			s.probing = true
			r.touch(s)
			list = append(list, s.current)
		}
	}
	return list
}

// lonelyPause bounds the pause of an instance where nobody is usable, for each that
// waits for its probe: two probes a second in the mean, however many there are.
const lonelyPause = time.Second

// hasten shortens the pauses where nobody is usable, for calls wait for whoever is
// back first.
func (r *Roster) hasten(now time.Time) {
	r.settle()
	bound := min(time.Duration(r.waiting)*lonelyPause, r.opts.BackoffMax)
	if r.counts.Usable > 0 || r.waiting == 0 || bound == r.opts.BackoffMax {
		return
	}
	tooLong := func(s *slot) bool { return s.probeable() && s.resume.Sub(now) > bound }
	for _, s := range r.agenda.all(tooLong) {
		s.resume = now.Add(time.Duration(r.opts.Rand() * float64(bound)))
		r.touch(s)
	}
}

// pause returns how long to wait after so many earlier failures in a row.
func (r *Roster) pause(strikes int) time.Duration {
	bound := r.opts.BackoffMin
	for range strikes {
		if bound > r.opts.BackoffMax/2 {
			bound = r.opts.BackoffMax
			break
		}
		bound *= 2
	}
	return time.Duration(r.opts.Rand() * float64(bound))
}
