// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"regexp"
	"runtime"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

func TestVersion(t *testing.T) {
	got := command(t, "version")
	got.check(t, statusOK, nil, nil)
	want := regexp.MustCompile(`^rollcall  \S+\ngo        ` + regexp.QuoteMeta(runtime.Version()) + `\S*\nprotocol  ` + rollcall.ProtocolName + `\n$`)
	if !want.MatchString(got.stdout) {
		t.Errorf("got %q, want %s", got.stdout, want)
	}

	got = command(t, "version", "-o", "json")
	got.check(t, statusOK, nil, nil)
	var info versionInfo
	if err := json.Unmarshal([]byte(got.stdout), &info); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	if info.Version == "" || info.Go != runtime.Version() || info.Protocol != rollcall.ProtocolName {
		t.Errorf("got %+v", info)
	}
}
