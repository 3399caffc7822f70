// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// quiet is a logger for go-zookeeper.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// dialGoZK opens a session of go-zookeeper.
func dialGoZK(ctx context.Context, addr string) (*zk.Conn, error) {
	conn, events, err := zk.Connect([]string{addr}, sessionTimeout, zk.WithLogger(quiet{}), zk.WithDialer(
		func(network, address string, timeout time.Duration) (net.Conn, error) {
			d := net.Dialer{Timeout: timeout}
			return d.DialContext(ctx, network, address)
		}))
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return conn, nil
			}
		case <-limit.C:
			conn.Close()
			return nil, fmt.Errorf("go-zookeeper has no session after %v", patience)
		}
	}
}

// closedLoop returns a worker that makes one call after the other; more is false
// when there are none left.
func closedLoop(call func() (more bool, err error)) worker {
	return func(l *lap) error {
		for !l.stop() {
			more, err := call()
			if err != nil {
				return fmt.Errorf("go-zookeeper: %w", err)
			}
			if !more {
				return nil
			}
			l.done.Add(1)
		}
		return nil
	}
}

var errWrongReply = errors.New("wrong reply")

func right(ok bool, err error) (bool, error) {
	if err == nil && !ok {
		err = errWrongReply
	}
	return true, err
}

func goGet(c *zk.Conn, path string, data []byte) worker {
	return closedLoop(func() (bool, error) {
		got, _, err := c.Get(path)
		return right(bytes.Equal(got, data), err)
	})
}

func goExists(c *zk.Conn, path string, data []byte) worker {
	return closedLoop(func() (bool, error) {
		found, stat, err := c.Exists(path)
		return right(found && int(stat.DataLength) == len(data), err)
	})
}

func goChildren(c *zk.Conn, path string, n int) worker {
	return closedLoop(func() (bool, error) {
		list, stat, err := c.Children(path)
		return right(len(list) == n && int(stat.NumChildren) == n, err)
	})
}

func goSet(c *zk.Conn, path string, data []byte) worker {
	return closedLoop(func() (bool, error) {
		stat, err := c.Set(path, data, -1)
		return right(err == nil && stat.Version > 0 && int(stat.DataLength) == len(data), err)
	})
}

func goCreate(c *zk.Conn, n *names, data []byte) worker {
	var path []byte
	return closedLoop(func() (bool, error) {
		i, more := n.take()
		if !more {
			return false, nil
		}
		path = n.path(path[:0], i)
		got, err := c.Create(string(path), data, 0, zk.WorldACL(zk.PermAll))
		return right(got == string(path), err)
	})
}

func goSequence(c *zk.Conn, parent string, data []byte) worker {
	last, prefix := "", parent+"/s-"
	return closedLoop(func() (bool, error) {
		got, err := c.Create(prefix, data, zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
		ok := strings.HasPrefix(got, prefix) && len(got) == len(prefix)+10 && got > last
		last = got
		return right(ok, err)
	})
}

func goDelete(c *zk.Conn, n *names) worker {
	var path []byte
	return closedLoop(func() (bool, error) {
		i, more := n.take()
		if !more {
			return false, nil
		}
		path = n.path(path[:0], i)
		return true, c.Delete(string(path), -1)
	})
}
