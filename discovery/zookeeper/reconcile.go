// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
)

// never is the pause of a round that only an event can end.
const never time.Duration = -1

// run keeps the instance registered while it is wanted, and returns when its
// node is surely gone afterwards, or ctx ends with the session.
func (r *registration) run(ctx context.Context) {
	defer close(r.done)
	r.shared.subscribe(watchKey{path: r.path}, r)
	defer r.shared.unsubscribe(watchKey{path: r.path}, r)
	defer r.finish()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := r.shared.registry.Changed()
		pause, done := r.round(ctx)
		if done || ctx.Err() != nil {
			return
		}
		if pause >= 0 {
			timer.Reset(pause)
		} else {
			timer.Stop()
		}
		select {
		case <-r.kick:
		case <-changed:
		case <-timer.C:
			r.scan = r.scan || r.resting // the slow timer: look at everything
		case <-ctx.Done():
			return
		}
	}
}

// finish notes that nothing is kept any more.
func (r *registration) finish() {
	r.disown(r.name)
	for name := range r.former {
		r.disown(name)
	}
	r.mu.Lock()
	r.wanted, r.doubtful = false, false
	r.mu.Unlock()
	r.report(func(s *discovery.RegistrationStatus) {
		s.Registered, s.Name, s.Conflict, s.Err = false, "", "", discovery.ErrDeregistered
	})
}

// round takes steps until things are as they should be, or one fails. It
// returns how long to wait for an event before the next round, and whether
// there is nothing left to do for ever.
func (r *registration) round(ctx context.Context) (pause time.Duration, done bool) {
	step, stop := context.WithCancel(ctx)
	defer stop()
	r.mu.Lock()
	wanted := r.wanted
	if wanted {
		r.interrupt = stop // Deregister does not wait for a step towards the contrary
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.interrupt = nil
		r.mu.Unlock()
	}()
	r.resting = false
	const maxSteps = 64 // what is left after that is tried again after a pause
	for range maxSteps {
		session := r.shared.registry.Session()
		if session.State != zk.StateConnected {
			return r.awaitSession(session, wanted)
		}
		a, err := r.step(step, session, wanted)
		switch {
		case step.Err() != nil && ctx.Err() == nil:
			return 0, false // not wanted any more
		case err != nil:
			return r.fail(err), false
		case a.verb == rest:
			r.backoff.reset()
			r.resting = true
			return r.restPause(), !wanted
		case a.verb == create && r.tooOften():
			return r.backoff.next(), false
		}
	}
	return r.fail(fmt.Errorf("zookeeper: %s does not come to rest", r.path)), false
}

// step looks, decides and acts once.
func (r *registration) step(ctx context.Context, session zk.Session, wanted bool) (action, error) {
	o, err := r.observe(ctx, session.ID, wanted)
	if err != nil {
		return action{}, err
	}
	a := decide(o)
	if a.loss != 0 && !r.lost {
		r.loss = a.loss
	}
	switch a.verb {
	case create:
		if r.soonLost > maxLosses && time.Since(r.created) < soon {
			return a, nil
		}
		return a, r.create(ctx, session.ID)
	case deleteOwn, deleteElder:
		return a, r.delete(ctx, a)
	case rest:
		r.settle(a)
	}
	return a, nil
}

// tellLoss tells why our node is gone: once, for the steps until there is one
// again may be many, and fail. err is what came of the step that the reason led to.
// Without an answer to that an expired session may not know of its end yet: its
// nodes go first, and look deleted.
func (r *registration) tellLoss(err error) {
	loss := r.loss
	if loss == 0 || unanswered(err) {
		return
	}
	r.loss, r.lost = 0, true
	r.logger.Warn("our entry is gone", "instance", r.last, "reason", loss.String())
	r.report(func(s *discovery.RegistrationStatus) {
		losses := maps.Clone(s.Losses) // who has read the status keeps the old one
		if losses == nil {
			losses = map[discovery.Loss]int{}
		}
		losses[loss]++
		s.LastLoss, s.Losses = loss, losses
	})
}

// soon and maxLosses say when a node that vanishes again and again is created
// with pauses: after so many that were lost so soon.
const (
	soon      = time.Second
	maxLosses = 3
)

// tooOften reports whether the next create has to wait.
func (r *registration) tooOften() bool {
	return r.name == "" && r.soonLost > maxLosses
}

// restPause returns how long things may stay as they are without a look.
func (r *registration) restPause() time.Duration {
	if interval := r.shared.opts.Resync; interval > 0 {
		return spread(interval, r.shared.opts.Rand)
	}
	return never
}

// awaitSession says what is known while there is no connection.
func (r *registration) awaitSession(s zk.Session, wanted bool) (pause time.Duration, done bool) {
	lost := s.State == zk.StateExpired || s.State == zk.StateAuthFailed || s.State == zk.StateClosed
	final := s.State == zk.StateAuthFailed || s.State == zk.StateClosed
	if !wanted && (final || !r.isDoubtful() && (lost || r.name == "" && len(r.former) == 0)) {
		return 0, true // nothing is there, or it ends with its session
	}
	pause = never
	if !lost && s.Timeout > 0 {
		if left := s.Timeout - time.Since(s.Since); left > 0 {
			pause = left
		} else {
			lost = true // perhaps: only the registry can say
		}
	}
	err := sessionError(s)
	if wanted && lost && s.State == zk.StateConnecting && r.Status().Registered {
		r.logger.Warn("the registry does not answer: our entry is probably gone, and comes back with it", "error", err)
	}
	r.report(func(st *discovery.RegistrationStatus) {
		if lost || !st.Registered {
			st.Registered, st.Err = false, err
		}
	})
	return pause, false
}

// fail notes why a step failed, and returns the pause before the next attempt.
func (r *registration) fail(err error) time.Duration {
	r.logger.Debug("registration: step failed", "error", err)
	r.report(func(s *discovery.RegistrationStatus) {
		if !s.Registered {
			s.Err = err
		}
	})
	return r.backoff.next()
}

// settle notes what a decision to rest rests on. Where it rests on a node that was
// not known before, what happened to that since it was read was not noticed: there
// is one more look.
func (r *registration) settle(a action) {
	r.tellLoss(nil)
	if a.node.name != "" {
		r.own(a.node)
		r.lost, r.wiped = false, false
	}
	before := r.Status()
	if a.conflict != "" && a.conflict != before.Conflict {
		r.logger.Warn("a younger entry of another live session has our id", "instance", a.conflict)
	}
	if a.conflict == "" && before.Conflict != "" {
		r.logger.Info("the other entry with our id is gone", "instance", before.Conflict)
	}
	if a.node.name != before.Name || a.conflict != before.Conflict {
		r.poke()
	}
	r.report(func(s *discovery.RegistrationStatus) {
		s.Name, s.Registered, s.Conflict, s.Err = a.node.name, a.node.name != "", a.conflict, nil
		if a.node.name == "" && a.conflict != "" {
			s.Err = fmt.Errorf("zookeeper: %s: the younger entry %s of another live session has our id %q", r.path, a.conflict, r.in.ID)
		}
	})
}

// own notes which node is ours. One that was before is to be deleted.
func (r *registration) own(n candidate) {
	if r.name != "" && r.name != n.name {
		r.former[r.name] = true
	}
	delete(r.former, n.name)
	r.shared.claim(join(r.path, n.name), r)
	r.name, r.last, r.owner = n.name, n.name, n.owner
	if n.czxid != 0 {
		r.czxid = n.czxid
	}
}

// disown notes that a node is gone, or not ours any more.
func (r *registration) disown(name string) {
	r.shared.disclaim(join(r.path, name), r)
	delete(r.former, name)
	if r.name == name {
		r.name = ""
	}
}

// create creates our node in a session, and what is missing of the path.
func (r *registration) create(ctx context.Context, session int64) error {
	created, czxid, err := r.createNode(ctx)
	if errors.Is(err, zk.ErrNoNode) {
		// The directory may have gone after it was listed, and our node with it.
		if r.loss != 0 {
			r.loss, r.wiped = discovery.LossWiped, true
		}
		if err := ensurePath(ctx, r.shared.registry, r.path, r.acl); err != nil {
			r.tellLoss(err)
			return err
		}
		created, czxid, err = r.createNode(ctx)
	}
	r.tellLoss(err)
	if err != nil {
		if perhapsDone(err) {
			r.setDoubtful(true)
			r.scan = true
		}
		return err
	}
	name := childName(r.path, created)
	r.own(candidate{name: name, czxid: czxid, owner: session})
	r.created, r.scan = time.Now(), true // elder twins, extra nodes
	r.lost, r.wiped = false, false
	r.logger.Info("registered", "instance", name)
	r.report(func(s *discovery.RegistrationStatus) { s.Name, s.Registered, s.Conflict, s.Err = name, true, "", nil })
	return nil
}

// createNode returns the node's path and the transaction that created it: that
// must be known before somebody deletes the node, to tell an elder twin from a
// younger one. Servers before ZooKeeper 3.5 do not tell it; then it is 0 until
// the node is looked at.
func (r *registration) createNode(ctx context.Context) (created string, czxid int64, err error) {
	path := join(r.path, layout.NodePrefix)
	if !r.shared.plain.Load() {
		created, stat, err := r.shared.registry.Create2(ctx, path, r.data, zk.ModeEphemeralSequential, r.acl)
		if !errors.Is(err, zk.ErrUnimplemented) {
			return created, stat.Czxid, err
		}
		r.shared.plain.Store(true)
	}
	created, err = r.shared.registry.Create(ctx, path, r.data, zk.ModeEphemeralSequential, r.acl)
	return created, 0, err
}

// delete deletes a node of ours or an elder twin.
func (r *registration) delete(ctx context.Context, a action) error {
	err := r.shared.registry.Delete(ctx, join(r.path, a.node.name), a.node.version)
	r.tellLoss(err)
	if unanswered(err) {
		return err
	}
	if a.verb == deleteElder {
		r.cleared[a.node.name] = true
		r.logger.Info("deleted the elder entry with our id", "instance", a.node.name, "error", err)
		return nil
	}
	if err == nil || errors.Is(err, zk.ErrNoNode) {
		r.disown(a.node.name)
		return nil
	}
	if errors.Is(err, zk.ErrBadVersion) {
		return nil // to be looked at again
	}
	return err
}
