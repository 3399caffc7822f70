// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/frame"
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
	if info.Defaults != nil {
		t.Errorf("defaults without -v: %v", info.Defaults)
	}
}

// The table shows what the packages go by, each setting once.
func TestVersionDefaults(t *testing.T) {
	got := command(t, "version", "-v")
	got.check(t, statusOK, []string{"protocol  " + rollcall.ProtocolName + "\n\nSETTING", "\nclient_deadline          none  ", "\nmax_frame                64 KiB  "}, nil)
	for _, s := range standards {
		if n := strings.Count(got.stdout, "\n"+s.name+"  "); n != 1 {
			t.Errorf("%s stands %d times in the table", s.name, n)
		}
		if s.value == 0 || s.value == "" || s.value == sizeBytes(0) || s.about == "" {
			t.Errorf("%s says nothing: %+v", s.name, s)
		}
	}

	got = command(t, "version", "-v", "-o", "json")
	got.check(t, statusOK, nil, nil)
	var info versionInfo
	if err := json.Unmarshal([]byte(got.stdout), &info); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	if len(info.Defaults) != len(standards) {
		t.Errorf("%d defaults, want %d", len(info.Defaults), len(standards))
	}
	for key, want := range map[string]any{
		"client_deadline_ms": nil,
		"drain_timeout_ms":   float64(rollcall.DefaultDrainTimeout.Milliseconds()),
		"max_message_bytes":  float64(frame.DefaultMaxMessage),
		"max_streams":        float64(frame.DefaultMaxStreams),
		"target":             defaultTarget,
	} {
		if got, there := info.Defaults[key]; !there || got != want {
			t.Errorf("%s: got %v, %v, want %v", key, got, there, want)
		}
	}
}

func TestStandardText(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{1500 * time.Millisecond, "1.5s"},
		{sizeBytes(3 << 20), "3 MiB"},
		{sizeBytes(1<<20 + 1<<10), "1025 KiB"},
		{sizeBytes(1<<20 - 1), "1048575 bytes"},
		{7, "7"},
	} {
		if got := fmt.Sprint(standard{value: tt.value}); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.value, got, tt.want)
		}
	}
}
