// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"strconv"
	"testing"
)

func TestInboxKeepsTheLastWord(t *testing.T) {
	b := inbox{kick: make(chan struct{}, 1)}
	b.put(notice{kind: written, name: "a"})
	b.put(notice{kind: deleted, name: "a"})
	b.put(notice{kind: written, name: "b"})
	b.put(notice{kind: armed})
	<-b.kick
	m := b.take()
	if !m.armed || len(m.names) != 2 || m.names["a"] != deleted || m.names["b"] != written {
		t.Errorf("got %+v", m)
	}
	if m := b.take(); m.armed || len(m.names) != 0 {
		t.Errorf("taken twice: %+v", m)
	}
}

func TestInboxIsBounded(t *testing.T) {
	b := inbox{kick: make(chan struct{}, 1)}
	for i := range maxInbox + 10 {
		b.put(notice{kind: written, name: strconv.Itoa(i)})
	}
	if m := b.take(); !m.armed || len(m.names) > maxInbox {
		t.Errorf("got armed %v and %d names, want a list instead of too many names", m.armed, len(m.names))
	}
}
