// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// A server says once that it serves, where, and whether in TLS.
func TestServingIsLogged(t *testing.T) {
	only(t, "its servers have TLS of their own", "tcp")
	for _, tls := range []string{"false", "true"} {
		log := new(logLines)
		opts := rollcall.ServerOptions{Logger: log.logger(), ID: "a"}
		if tls == "true" {
			opts.TLS = newTrust("ours").server
		}
		s := start(t, "", opts, func(*rollcall.Server) {})
		log.await(t, 1, "level=INFO", "msg=serving", "address="+s.addr, "tls="+tls, `registry=""`, "instance_id=a")
		s.Close()
		if lines, _ := log.with("msg=serving"); len(lines) != 1 {
			t.Errorf("got %q", lines)
		}
	}
}
