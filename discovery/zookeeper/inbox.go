// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import "sync"

// maxInbox bounds the names that wait in an inbox. More than that is told as if
// the watch had been lost: by one list.
const maxInbox = 1 << 16

// An inbox takes notices without blocking. What is told of one name twice is
// kept once: the last word counts.
type inbox struct {
	kick chan struct{} // holds one token while there is something to take

	mu   sync.Mutex // guards what follows
	mail mail
}

// mail is what was told since it was last taken.
type mail struct {
	armed bool
	list  *listing // the last one told
	names map[string]noticeKind

	overrides noticeKind // of their document; 0: nothing was told
}

func (b *inbox) put(n notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case n.kind == armed:
		b.mail.armed, b.mail.list = true, n.list
	case len(b.mail.names) >= maxInbox:
		b.mail = mail{armed: true, overrides: b.mail.overrides}
	default:
		if b.mail.names == nil {
			b.mail.names = map[string]noticeKind{}
		}
		b.mail.names[n.name] = n.kind
	}
	b.poke()
}

// putOverrides notes that the overrides' document is to be read.
func (b *inbox) putOverrides(why noticeKind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mail.overrides = why
	b.poke()
}

func (b *inbox) poke() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

func (b *inbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mail
	b.mail = mail{}
	return m
}
