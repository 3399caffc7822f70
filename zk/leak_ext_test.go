// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// checkLeaks fails the test if goroutines of this package are left when all
// else is cleaned up. Call it first.
func checkLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var left string
		for range 200 { // a goroutine that has closed its last channel may not be gone yet
			if left = clientGoroutines(); left == "" {
				return
			}
			<-time.After(5 * time.Millisecond)
		}
		t.Errorf("goroutines are left:\n%s", left)
	})
}

func clientGoroutines() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, "rollcall/zk.(*Client)") || strings.Contains(g, "rollcall/zk.(*conn)") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}
