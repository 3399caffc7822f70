// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"sync"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

const (
	// maxQueued is how many bytes of memory requests may take that wait for the
	// owner; more are left unread.
	maxQueued = 64 << 20
	// itemCost and requestCost are what a request takes beside its bytes, alone
	// and inside a multi, outcome included.
	itemCost    = 512
	requestCost = 320
	// maxPending is how many requests of one connection may wait for the owner.
	maxPending = 1000
	// maxBurst is how many of them are handed over at a time.
	maxBurst = 256
	// crowdedBurst is how many of them may while Options.MaxOutstanding are there.
	crowdedBurst = 16
)

// An item is one request on its way through the owner.
type item struct {
	conn    *conn // nil: the server's own
	handler *handler
	xid     int32
	readAt  int64 // session time at which it was read
	req     tree.Request
	body    []byte        // of a read: what stands behind the header
	view    *tree.Tree    // of a read: the version at its place in the order
	out     tree.Outcome  // of a write
	who     *session      // opening or expiring
	reply   *connectReply // opening: what is sent
	done    chan<- bool   // opening and expiring: told whether it happened
}

// A queue takes the requests of all connections to the owner.
type queue struct {
	wake chan struct{}
	max  int // requests from which on it is crowded

	mu    sync.Mutex // guards what follows
	room  sync.Cond
	items []item
	bytes int
	open  bool // an owner is at work
}

func (q *queue) init(maxRequests int) {
	q.max = maxRequests
	q.wake = make(chan struct{}, 1)
	q.room.L = &q.mu
}

// push adds requests of a connection, of so many bytes each, waiting for room, and
// returns how many: in a crowded queue a few, and those only if the connection is
// idle, which means that it has no others there. It adds nothing and returns false
// if there is no owner.
func (q *queue) push(items []item, each int, idle bool) (n int, open bool) {
	q.mu.Lock()
	for q.open && q.bytes > maxQueued {
		q.room.Wait()
	}
	n = min(len(items), max(q.max-len(q.items), 0))
	if n < len(items) && n < crowdedBurst {
		n = 0
		if idle {
			n = min(len(items), crowdedBurst)
		}
	}
	if !q.open {
		n = 0
	}
	return n, q.put(items[:n], n*each)
}

// pushUrgent is push without waiting for room, for the server's own requests.
func (q *queue) pushUrgent(items ...item) bool {
	q.mu.Lock()
	return q.put(items, 0)
}

// put adds requests and releases mu.
func (q *queue) put(items []item, bytes int) bool {
	open := q.open
	first := len(q.items) == 0
	if open {
		q.items = append(q.items, items...)
		q.bytes += bytes
	}
	q.mu.Unlock()
	if open && first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return open
}

// take returns everything that waits and keeps spare, which is clear, for what
// comes.
func (q *queue) take(spare []item) []item {
	q.mu.Lock()
	items := q.items
	q.items, q.bytes = spare[:0], 0
	q.room.Broadcast()
	q.mu.Unlock()
	return items
}

// len returns how many requests wait for the owner.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

func (q *queue) start() {
	q.mu.Lock()
	q.open = true
	q.mu.Unlock()
}

// stop ends pushing and returns what was pushed before.
func (q *queue) stop() []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
	items := q.items
	q.items, q.bytes = nil, 0
	q.room.Broadcast()
	return items
}

// A connectReply is what a handshake is answered with.
type connectReply struct{ jute.ConnectResponse }
