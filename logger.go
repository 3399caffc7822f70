// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"log/slog"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A listLog tells when the source of a client's list stops answering, once for
// each reason, and when it answers again. One goroutine uses it.
type listLog struct {
	logger *slog.Logger
	target string
	reason string // why the source does not answer; empty: it does
}

func (l *listLog) update(u *discovery.Update) {
	reason := ""
	if u.Err != nil {
		reason = u.Err.Error()
	}
	switch {
	case reason == l.reason:
	case reason == "":
		l.logger.Info("the registry answers", "target", l.target, "instances", len(u.Instances), "skipped", len(u.Skipped))
	case u.Source == discovery.SourceStale:
		l.logger.Warn("the registry does not answer: calling from the last list until it does", "target", l.target, "instances", len(u.Instances), "error", u.Err)
	default:
		l.logger.Warn("the registry does not answer: waiting for the first list of instances", "target", l.target, "error", u.Err)
	}
	l.reason = reason
}
