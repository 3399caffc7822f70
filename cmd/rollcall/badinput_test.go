// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A registry that does not answer is named, with the reason, by the commands that
// need one; they do not hang.
func TestRegistryThatDoesNotAnswer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		silence func(*zktest.Server) (end func())
		reason  string
	}{
		{"nothing listens", func(s *zktest.Server) func() { s.Stop(); return s.Restart }, "refused"},
		{"accepts and says nothing", (*zktest.Server).Hold, "no answer"},
		{"accepts and closes", (*zktest.Server).Refuse, "without answering the handshake"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := zktest.Start(t)
			target := registry.Target("/rpc")
			end := tt.silence(registry)
			command(t, "ls", target, "--timeout", "1200ms").check(t, statusFailure, nil,
				[]string{"rollcall: " + target + ": the registry did not answer within 1.2s: ", registry.Addr(), tt.reason})
			command(t, "call", target, divideMethod.Name, "--timeout", "3s").check(t, statusFailure, nil,
				[]string{"Unavailable REGISTRY_UNREACHABLE", "not executed", target, "no list of instances yet"})
			command(t, "zk", "ls", target, "--timeout", "1200ms").check(t, statusFailure, nil, []string{registry.Addr(), tt.reason})

			watch := begin(t, "ls", "--watch", target)
			if got := line(t, watch.stderr); !strings.Contains(got, target) || !strings.Contains(got, "waiting for the first list") {
				t.Errorf("stderr %q, want what it waits for", got)
			}
			serving := begin(t, "bench", "serve", "--listen", "127.0.0.1:0", "--registry", target)
			addr, ok := strings.CutPrefix(line(t, serving.stdout), "serving on ")
			if !ok {
				t.Fatal("bench serve does not serve")
			}
			if got := line(t, serving.stderr); !strings.Contains(got, "not in the list yet") || !strings.Contains(got, target) {
				t.Errorf("stderr %q, want that it waits for its registry", got)
			}
			end()
			if got := line(t, watch.stderr); !strings.Contains(got, "the registry answers again") {
				t.Errorf("stderr %q, want that the registry answers", got)
			}
			go watch.stderr.WriteTo(discard{}) //nolint:errcheck // perhaps that the list is empty; it ends with the command
			for !strings.Contains(line(t, watch.stdout), addr) {
			}
			command(t, "bench", "run", target, "--callers", "1", "--duration", "10ms", "--warmup", "0").check(t, statusOK, []string{"errors      0\n"}, nil)
		})
	}
}

// ls shows each entry that is no instance, whoever wrote it, beside the good one,
// which is called.
func TestListForeignEntries(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target})
	client, err := zk.New([]string{registry.Addr()}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	put := func(name, data string) {
		t.Helper()
		if _, err := client.Create(t.Context(), "/rpc/"+name, []byte(data), zk.ModeEphemeral, nil); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	}
	put("large", strings.Repeat("x", 1<<20-200))
	skipped, instances := map[string]string{"large": "data"}, []string{one.addr}
	files, err := filepath.Glob("../../discovery/layout/testdata/foreign/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.SplitN(string(text), "\n", 3)
		put(parts[0], parts[2])
		if field, ok := strings.CutPrefix(parts[1], "skipped "); ok {
			skipped[parts[0]] = field
		} else {
			instances = append(instances, parts[1])
		}
	}

	got := command(t, "ls", target)
	got.check(t, statusOK, instances, nil)
	if n := strings.Count(got.stdout, "\nskipped "); n != len(skipped) {
		t.Errorf("%d entries are skipped, want %d:\n%s", n, len(skipped), got.stdout)
	}
	for text := range strings.SplitSeq(got.stdout, "\n") {
		if len(text) > 700 {
			t.Errorf("a line of %d bytes: %.100s…", len(text), text)
		}
	}

	var doc listJSON
	if err := json.Unmarshal([]byte(command(t, "ls", target, "-o", "json").stdout), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Instances) != len(instances) || len(doc.Skipped) != len(skipped) {
		t.Errorf("%d instances and %d skipped, want %d and %d", len(doc.Instances), len(doc.Skipped), len(instances), len(skipped))
	}
	for _, s := range doc.Skipped {
		if field, ok := skipped[s.Entry]; !ok || !strings.HasPrefix(s.Error, field+" ") {
			t.Errorf("%q is skipped for %q, want its %s", s.Entry, s.Error, field)
		}
	}

	command(t, "call", target, divideMethod.Name, `{"num1":6}`).check(t, statusOK, []string{`{"value":6}`}, nil)
	got = command(t, "call", target, divideMethod.Name, "--instance", "10.9.9.9:1")
	got.check(t, statusFailure, nil, []string{"NO_INSTANCE", fmt.Sprintf("%d skipped", len(skipped))})
}

// A port in use is named, by each command that listens.
func TestPortInUse(t *testing.T) {
	taken := serve(t, rollcall.ServerOptions{}).addr
	for _, words := range []string{"registry --memory", "bench serve"} {
		args := append(strings.Fields(words), "--listen", taken)
		command(t, args...).check(t, statusFailure, nil, []string{"listen tcp " + taken, "in use"})
	}
}

// What an environment or an argument that is no target says, each command that
// takes one repeats, with the part that is wrong and the fix.
func TestTargetsThatCannotBeParsed(t *testing.T) {
	targets := map[string]string{
		"":                         `scheme "": write zk://`,
		"nowhere":                  `scheme "nowhere": write zk://`,
		"http://h:1/rpc":           `scheme "http": write zk://`,
		"zk://h/rpc":               `host "h": write host:port`,
		"zk://:2181/rpc":           `host ":2181": write a name`,
		"zk://h:0/rpc":             `port "h:0": a port is a number from 1 to 65535`,
		"zk://h:1":                 `path "": write the service's directory`,
		"zk://h:1/a//b":            `path "/a//b": a path has no empty name`,
		"zk://h:1,h:1/rpc":         `host "h:1": this host is listed twice`,
		"static://h:1/rpc":         `path "/rpc": a static target has no path`,
		"static://[::1%25eth0]:80": "without brackets, port, user, zone or space",
		"static://user:pw@h:1":     `host "user:pw@h:1": write host:port`,
		"zk://" + strings.Repeat("a", 300) + ":1/rpc": "a name has at most 253 bytes",
	}
	for target, want := range targets {
		for _, args := range [][]string{{"ls", target}, {"call", target, "M"}, {"bench", "run", target}, {"bench", "serve", "--registry=" + target}, {"drain", target, "x"}, {"undrain", target, "x"}, {"weight", target, "x", "1"}} {
			if target == "" && args[1] == "serve" {
				continue // no registry is wanted
			}
			got := command(t, args...)
			got.check(t, statusUsage, nil, []string{want})
		}
		if target != "" { // an empty variable is none
			t.Setenv(environmentTarget, target)
			command(t, "ls").check(t, statusUsage, nil, []string{environmentTarget, want})
		}
	}
}
