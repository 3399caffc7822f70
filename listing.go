// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

const (
	// notListedAfter is how long a server that is not in the list is no news,
	// where it may yet be a matter of a moment.
	notListedAfter = time.Second
	// notListedEvery is how often it is told again.
	notListedEvery = time.Minute
)

// A listing is what was told of a server's entry in the list. It is fed with what
// the registration says, and with the time, and says what is to be told.
type listing struct {
	listed bool
	entry  string    // the last one
	since  time.Time // when listed became what it is
	losses int       // that were counted when the entry was last told to be there
	told   time.Time // when it was last warned that it is missing; zero: not since it is
}

// look returns what is new. now is not before that of the last look.
func (l *listing) look(s *discovery.RegistrationStatus, now time.Time) (news []RegistrationInfo) {
	losses := 0
	for _, n := range s.Losses {
		losses += n
	}
	var loss discovery.Loss
	if losses > l.losses {
		loss = s.LastLoss
	}
	if l.listed && (!s.Registered || s.Name != l.entry || loss != 0) {
		news = append(news, RegistrationInfo{Phase: RegistrationMissing, Entry: l.entry, Elapsed: now.Sub(l.since), Loss: loss, Err: s.Err})
		l.listed, l.since, l.told = false, now, time.Time{}
	}
	if !l.listed && s.Registered {
		news = append(news, RegistrationInfo{Phase: RegistrationListed, Entry: s.Name, Elapsed: now.Sub(l.since), Loss: loss})
		l.listed, l.since, l.entry, l.losses = true, now, s.Name, losses
	}
	return news
}

// warning reports whether it is time to warn that the entry is missing, and if not,
// how long it is until then; negative: there is nothing to warn of.
func (l *listing) warning(s *discovery.RegistrationStatus, now time.Time) (due bool, wait time.Duration) {
	switch {
	case l.listed:
		return false, -1
	case !l.told.IsZero():
		wait = notListedEvery - now.Sub(l.told)
	case !refusedForGood(s):
		wait = notListedAfter - now.Sub(l.since)
	}
	if wait > 0 {
		return false, wait
	}
	l.told = now
	return true, notListedEvery
}

// refusedForGood reports whether the entry is missing for a reason that does not
// go away by itself in a moment.
func refusedForGood(s *discovery.RegistrationStatus) bool {
	return s.Conflict != "" || errors.Is(s.Err, zk.ErrNoAuth) || errors.Is(s.Err, zk.ErrAuthFailed)
}

// log writes what an operator should know of the news.
func (l *listing) log(logger *slog.Logger, registry string, info *RegistrationInfo) {
	if info.Phase == RegistrationListed && !l.told.IsZero() {
		logger.Info("in the list", "registry", registry, "instance", info.Entry, "not_listed_for", info.Elapsed)
		l.told = time.Time{}
	}
}

// warn writes that the entry is missing.
func (l *listing) warn(logger *slog.Logger, registry string, s *discovery.RegistrationStatus, now time.Time) {
	logger = logger.With("registry", registry, "not_listed_for", now.Sub(l.since), "error", s.Err)
	if l.entry == "" {
		logger.Warn("not in the list yet: serving, and waiting for the registry")
	} else {
		logger.Warn("not in the list any more: serving, and waiting for the registry")
	}
}
