// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeConfig(t *testing.T, lines ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ask sends a four-letter word.
func ask(t *testing.T, addr, word string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, word); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// The file says where, for how long and what; the command line has the last word.
func TestRegistryConfig(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	file := writeConfig(t, "tickTime=300", "clientPort=0", "clientPortAddress=127.0.0.1", "dataDir="+data,
		"maxSessionTimeout=9000", "4lw.commands.whitelist=conf", "initLimit=5")
	registry := begin(t, "registry", "--config", file, "--min-session-timeout", "700ms")
	warning := line(t, registry.stderr)
	for _, want := range []string{"level=WARN", "it concerns ensembles", "line=7", "key=initLimit", "value=5"} {
		if !strings.Contains(warning, want) {
			t.Errorf("got warning %q, want %q in it", warning, want)
		}
	}
	go registry.stderr.WriteTo(discard{}) //nolint:errcheck // it ends with the command
	ready := line(t, registry.stdout)
	addr, ok := strings.CutPrefix(ready, "registry ready on 127.0.0.1:")
	if !ok {
		t.Fatalf("got %q, want the address it is ready on", ready)
	}
	conf := ask(t, "127.0.0.1:"+addr, "conf")
	for _, want := range []string{"dataDir=" + data, "tickTime=300", "minSessionTimeout=700", "maxSessionTimeout=9000"} {
		if !strings.Contains(conf, want+"\n") {
			t.Errorf("got %q, want %s in it", conf, want)
		}
	}
	if got := ask(t, "127.0.0.1:"+addr, "ruok"); !strings.Contains(got, "whitelist") {
		t.Errorf("ruok: got %q, want a refusal", got)
	}
	registry.stop()
	if got := registry.status(); got != statusOK {
		t.Errorf("exit status %d, want %d", got, statusOK)
	}
}

func TestRegistryConfigErrors(t *testing.T) {
	bad := writeConfig(t, "dataDir=/nowhere", "server.1=a:1:2", "server.2=b:1:2")
	command(t, "registry", "--config", bad).check(t, statusUsage, nil,
		[]string{"rollcall: --config " + bad, "line 3: server.2=b:1:2", "run Apache ZooKeeper for an ensemble"})
	missing := filepath.Join(t.TempDir(), "missing.cfg")
	command(t, "registry", "--config", missing).check(t, statusUsage, nil, []string{"rollcall: --config: open " + missing, "give a zoo.cfg"})
	nowhere := writeConfig(t, "clientPort=0")
	command(t, "registry", "--config", nowhere).check(t, statusUsage, nil, []string{"--data is missing"})
	late := writeConfig(t, "maxSessionTimeout=5000")
	command(t, "registry", "--config", late, "--memory", "--min-session-timeout", "6s").check(t, statusUsage, nil,
		[]string{"--max-session-timeout 5s: give at least --min-session-timeout, which is 6s"})
}
