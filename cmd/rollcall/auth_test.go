// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A list that may not be read is said to be that, at once and not after the
// timeout, and is read by whom the ACL permits to.
func TestForbiddenList(t *testing.T) {
	registry := zktest.Start(t)
	target, me := registry.Target("/closed"), []string{"--auth", "digest:me:secret"}
	owner, err := zk.New([]string{registry.Addr()}, zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("me:secret")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	create(t, owner, "/closed", nil, []zk.ACL{{Perms: jute.PermAll, Scheme: "auth"}})

	forbidden := []string{"rollcall: " + target + ": the ACL of /closed does not permit to read the list: give --auth"}
	const long = "24h"
	command(t, "ls", target, "--timeout", long).check(t, statusFailure, nil, forbidden)
	command(t, "drain", target, "one", "--timeout", long).check(t, statusFailure, nil, forbidden)
	watch := begin(t, "ls", "--watch", target)
	if got := line(t, watch.stderr); !strings.Contains(got, target+" does not permit to read the list, waiting") {
		t.Errorf("stderr %q", got)
	}

	nobody := []string{"no instance is registered in " + target}
	command(t, append([]string{"ls", target}, me...)...).check(t, statusOK, nil, nobody)
	command(t, append([]string{"call", target, "M"}, me...)...).check(t, statusFailure, nil, []string{"live list: 0 listed"})

	refused := []string{"rollcall: " + target + ": the registry refuses the credentials: check the scheme"}
	command(t, "ls", target, "--auth", "nosuch:x", "--timeout", long).check(t, statusFailure, nil, refused)
}
