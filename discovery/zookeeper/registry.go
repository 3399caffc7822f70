// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// A registry is what of [zk.Client] is used here.
type registry interface {
	Session() zk.Session
	Changed() <-chan struct{}
	Get(ctx context.Context, path string) ([]byte, zk.Stat, error)
	Children(ctx context.Context, path string) ([]string, zk.Stat, error)
	ChildrenW(ctx context.Context, path string) ([]string, zk.Stat, <-chan zk.Event, error)
	ExistsW(ctx context.Context, path string) (zk.Stat, bool, <-chan zk.Event, error)
	Create(ctx context.Context, path string, data []byte, mode zk.CreateMode, acl []zk.ACL) (string, error)
	Create2(ctx context.Context, path string, data []byte, mode zk.CreateMode, acl []zk.ACL) (string, zk.Stat, error)
	Set(ctx context.Context, path string, data []byte, version int32) (zk.Stat, error)
	Sync(ctx context.Context, path string) error
	Delete(ctx context.Context, path string, version int32) error
	AddWatch(ctx context.Context, path string, mode zk.WatchMode) (watch, error)
	Close() error
}

// A watch is what of [zk.Watch] is used here.
type watch interface {
	Events() <-chan zk.Event
	Close() error
}

// client is a [zk.Client] as a registry.
type client struct{ *zk.Client }

func (c client) AddWatch(ctx context.Context, path string, mode zk.WatchMode) (watch, error) {
	w, err := c.Client.AddWatch(ctx, path, mode)
	if err != nil {
		return nil, err // not w: a nil *zk.Watch would be a watch that is not nil
	}
	return w, nil
}

// ensurePath creates what is missing of a path, persistent and empty.
func ensurePath(ctx context.Context, r registry, path string, acl []zk.ACL) error {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		_, err := r.Create(ctx, path[:end], nil, zk.ModePersistent, acl)
		// Without the permission to create here a missing node shows one level down.
		if err != nil && !errors.Is(err, zk.ErrNodeExists) && !errors.Is(err, zk.ErrNoAuth) {
			return err
		}
	}
	return nil
}

// join returns the path of a child.
func join(path, name string) string {
	if path == "/" {
		return "/" + name
	}
	return path + "/" + name
}

// childName returns the name of the child of dir that path is, or "".
func childName(dir, path string) string {
	if dir != "/" {
		var found bool
		if path, found = strings.CutPrefix(path, dir); !found {
			return ""
		}
	}
	name, found := strings.CutPrefix(path, "/")
	if !found || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// unanswered reports whether a request ended without the registry's word on it.
func unanswered(err error) bool {
	for _, cause := range []error{zk.ErrConnectionLoss, zk.ErrClosed, zk.ErrQueueFull, zk.ErrSessionExpired, zk.ErrSessionMoved, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// perhapsDone reports whether a request without an answer may have been carried out.
func perhapsDone(err error) bool {
	if !unanswered(err) {
		return false
	}
	var typed *zk.Error
	return !errors.As(err, &typed) || typed.Sent
}

// A life is what tells one life of a directory from another. In one life the
// name of a sequential node is given once.
type life struct {
	czxid, ctime, pzxid int64
	cversion            int32
}

func lifeOf(stat zk.Stat) life {
	return life{czxid: stat.Czxid, ctime: stat.Ctime, pzxid: stat.Pzxid, cversion: stat.Cversion}
}

// continues reports whether l may be a later moment of the same life. The time
// is compared too, for a wiped registry counts its transactions from the start
// and may reach the same number; the counters, for one that was restored from a
// backup goes back.
func (l life) continues(earlier life) bool {
	return l.czxid == earlier.czxid && l.ctime == earlier.ctime && l.pzxid >= earlier.pzxid && l.cversion >= earlier.cversion
}

// A backoff spreads attempts: the n-th pause is uniform in [0, 50 ms · 2ⁿ), the
// bound never above 5 s.
type backoff struct {
	rand func() float64
	n    int
}

const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 5 * time.Second
)

func (b *backoff) next() time.Duration {
	bound := min(backoffMax, backoffMin<<min(b.n, 10))
	b.n++
	return time.Duration(b.rand() * float64(bound))
}

func (b *backoff) reset() { b.n = 0 }

// spread returns d, a fifth more or less.
func spread(d time.Duration, rand func() float64) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand()))
}
