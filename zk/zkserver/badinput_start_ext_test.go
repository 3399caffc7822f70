// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// Start tells of bad options and of an address that cannot be had.
func TestStartRefuses(t *testing.T) {
	for want, try := range map[string]struct {
		address string
		opts    zkserver.Options
	}{
		"TickTime": {"127.0.0.1:0", zkserver.Options{TickTime: -1}},
		"listen":   {"nowhere", zkserver.Options{}},
	} {
		if _, err := zkserver.Start(try.address, try.opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error that says %q", try.address, err, want)
		}
	}
}
