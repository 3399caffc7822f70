// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// An outlet remembers what was last published.
type outlet struct {
	begun   bool             // something was
	last    discovery.Update // that
	kind    string           // of its Err
	lastAt  time.Time        // when a live list was last published
	flushAt time.Time        // when the next may be, if one is held back; else zero
}

// errNoList is why there is no list though the registry is connected.
var errNoList = errors.New("zookeeper: connected, no list yet")

// publishNews publishes what changed: the list, its source, or the kind of error.
func (l *lister) publishNews(now time.Time) {
	l.out.flushAt = time.Time{}
	late := !now.Before(l.began.Add(l.opts.ConnectTimeout))
	switch {
	case !l.connected():
		if err := sessionError(l.session); l.out.begun || late || l.session.LastErr != nil || l.session.State != zk.StateConnecting {
			l.publishDown(now, err, stateKind(l.session.State))
		}
	case l.listErr != nil:
		l.publishDown(now, l.listErr, errorKind(l.listErr))
	case l.listed && l.reads.awaited == 0 && l.orders.known:
		l.publishLive(now)
	case late && !l.out.begun:
		l.publishDown(now, errNoList, errNoList.Error())
	}
}

func (l *lister) publishLive(now time.Time) {
	live := l.out.last.Source == discovery.SourceLive
	if live && !l.view.dirty() {
		return
	}
	if at := l.out.lastAt.Add(l.opts.MinUpdateInterval); live && now.Before(at) {
		l.out.flushAt = at
		return
	}
	if !l.view.build() && live {
		return
	}
	l.out.lastAt = now
	l.publishUpdate(discovery.Update{
		Instances: l.view.instances, Skipped: l.view.skipped,
		Source: discovery.SourceLive, Confirmed: now,
	}, "")
}

// publishDown publishes that the registry does not answer, with the last list.
func (l *lister) publishDown(now time.Time, err error, kind string) {
	u := l.out.last
	switch u.Source {
	case discovery.SourceLive:
		u.Source, u.Confirmed = discovery.SourceStale, now
	case discovery.SourceStale:
	default:
		u.Source = discovery.SourceNone
	}
	if l.out.begun && u.Source == l.out.last.Source && kind == l.out.kind {
		return
	}
	u.Err = err
	l.publishUpdate(u, kind)
}

func (l *lister) publishUpdate(u discovery.Update, kind string) {
	l.out.begun, l.out.last, l.out.kind = true, u, kind
	l.publish(&u)
}

// sessionError says why a session is not connected.
func sessionError(s zk.Session) error {
	if s.LastErr == nil {
		return fmt.Errorf("zookeeper: %s, no answer yet", s.State)
	}
	return fmt.Errorf("zookeeper: %s: %w", s.State, s.LastErr)
}

// stateKind is the kind of error that a session's state is. An expired session
// is one that is being opened again.
func stateKind(s zk.State) string {
	if s == zk.StateExpired {
		s = zk.StateConnecting
	}
	return s.String()
}

// errorKind is the kind of an error that the registry has answered.
func errorKind(err error) string {
	if typed, ok := errors.AsType[*zk.Error](err); ok {
		return typed.Err.Error()
	}
	return err.Error()
}
