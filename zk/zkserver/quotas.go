// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"log/slog"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

const (
	// quotaWarnEvery is how often a quota that is gone beyond is logged at most.
	quotaWarnEvery = time.Minute
	// maxQuotaWarnings is how many quotas are remembered as logged.
	maxQuotaWarnings = 1000
)

// A quotaKey names a limit of a quota.
type quotaKey struct{ path, what string }

// A quotaLog warns of quotas that are gone beyond. It belongs to the owner.
type quotaLog struct{ last map[quotaKey]time.Time }

// warn logs what a batch went beyond.
func (l *quotaLog) warn(s *Server, overruns []tree.Overrun) {
	if len(overruns) == 0 {
		return
	}
	now := s.opts.Clock.Now()
	if l.last == nil || len(l.last) > maxQuotaWarnings {
		l.last = map[quotaKey]time.Time{}
	}
	for _, o := range overruns {
		key := quotaKey{o.Path, o.What}
		if last, ok := l.last[key]; ok && now.Sub(last) < quotaWarnEvery {
			continue
		}
		l.last[key] = now
		s.log.Warn("quota exceeded: raise the limit or remove nodes",
			slog.String("path", o.Path), slog.String("of", o.What), slog.Int64("value", o.Value), slog.Int64("limit", o.Limit),
			slog.Bool("refused", o.Hard && s.opts.EnforceQuota))
	}
}
