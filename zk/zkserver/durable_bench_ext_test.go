// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// BenchmarkDurable measures writes that are synced before they are answered, one
// in flight and 8 sessions with 16 each, on the disk of the temporary directory.
func BenchmarkDurable(b *testing.B) {
	payload := make([]byte, 128)
	var serial atomic.Int64
	for name, appendRequest := range map[string]func(b []byte, xid int32) []byte{
		"set": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpSetData, &jute.SetDataRequest{Path: "/bench", Data: payload, Version: -1})
		},
		"create": func(b []byte, xid int32) []byte {
			return appendRequest(b, xid, jute.OpCreate, &jute.CreateRequest{
				Path: fmt.Sprintf("/bench/n%d", serial.Add(1)), Data: payload, ACL: jute.WorldAnyone(),
			})
		},
	} {
		for _, load := range []struct{ parallel, depth int }{{1, 1}, {benchSessions, benchInFlight}} {
			b.Run(fmt.Sprintf("%s/%d", name, load.parallel*load.depth), func(b *testing.B) {
				benchmarkServer(b, zkserver.Options{DataDir: b.TempDir()}, load.parallel, load.depth, appendRequest)
			})
		}
	}
}
