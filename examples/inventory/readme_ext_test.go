// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// What the README has people make is what the programs take: the commands of
// "Make what they are configured with" and of "Try it" work as they stand, but for the
// addresses.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var scripts []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1) {
		scripts = append(scripts, string(block[1]))
	}
	if len(scripts) != 6 {
		t.Fatalf("the README has %d blocks of commands, want 6: build, configure, start, and three to try", len(scripts))
	}
	f := &fleet{t: t, programs: build(t), target: zktest.Start(t).Target("/inventory")}
	dir := t.TempDir()
	f.config = filepath.Join(dir, "config")
	addresses := strings.NewReplacer()
	sh := func(script string) string {
		t.Helper()
		shell := exec.CommandContext(within(t), "sh", "-ec", addresses.Replace(script))
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+f.programs+string(os.PathListSeparator)+os.Getenv("PATH"), "no_proxy=*")
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	sh(scripts[1])
	_, server := f.server()
	_, front := f.front(filepath.Join(f.config, "token"))
	front.want(t, "POST", "/items/gear/reserve", `{"count":3,"for":"Ada"}`, 200, `{"left":2}`)

	addresses = strings.NewReplacer("zk://127.0.0.1:2181/inventory", f.target, "127.0.0.1:8001", server, "http://127.0.0.1:8080", front.url)
	if out := sh(scripts[5]); !strings.Contains(out, server) || !strings.Contains(out, `{"left":7}`) {
		t.Errorf("got %s, want the server, and 7 gears", out)
	}
	roots := x509.NewCertPool()
	if ca, err := os.ReadFile(filepath.Join(f.config, "ca.crt")); err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("ca.crt: %v", err)
	}
	newSite("https://"+server, &tls.Config{RootCAs: roots}).want(t, "GET", "/debug/vars", "", 401)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	if out := sh(scripts[3]); !strings.Contains(out, `"left":4`) || !strings.Contains(out, "UNKNOWN_ITEM") {
		t.Errorf("got %s", out)
	}
	if out := sh(scripts[4]); !strings.Contains(out, "ready") || !strings.Contains(out, "Inventory/Reserve OK") {
		t.Errorf("got %s, want that it is ready, and counters", out)
	}
}
