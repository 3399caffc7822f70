// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"errors"
	"net"
	"sync"
)

// serveConns gives each connection of l a goroutine until ctx ends. It returns
// when they have ended.
func serveConns(ctx context.Context, l net.Listener, serve func(net.Conn)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() }) // it ends Accept
	defer stop()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { conn.Close() }) // it ends serve
			defer stop()
			defer conn.Close() // it is over
			serve(conn)
		})
	}
}
