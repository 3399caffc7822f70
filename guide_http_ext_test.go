// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// handlePages is the guide's way to have pages.
func handlePages(server *rollcall.Server) {
	server.HandleHTTP("/", server.HealthHandler()) // /healthz and /readyz
	server.HandleHTTP("/debug/state", server.DebugHandler())
	server.HandleHTTP("/debug/pprof/", http.HandlerFunc(pprof.Index)) // of net/http/pprof
	server.HandleHTTP("/debug/pprof/profile", http.HandlerFunc(pprof.Profile))
}

// The commands of the guide work as they stand, and its code is what is tried here.
func TestHTTPGuide(t *testing.T) {
	only(t, "the clients of HTTP know no other", "tcp")
	guide, err := os.ReadFile("docs/guide/http.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("guide_http_ext_test.go")
	if err != nil {
		t.Fatal(err)
	}
	handling := regexp.MustCompile(`(?s)\tserver.HandleHTTP\("/", .*?pprof.Profile\)\)\n`)
	if a, b := handling.Find(guide), handling.Find(source); len(a) == 0 || string(a) != string(b) {
		t.Errorf("the guide has\n%s\nand the test\n%s", a, b)
	}
	if _, err := exec.LookPath("curl"); errors.Is(err, exec.ErrNotFound) {
		t.Skip("no curl")
	}
	s := start(t, "", rollcall.ServerOptions{}, handlePages)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(guide)
	if block == nil {
		t.Fatal("the guide has no commands")
	}
	for line := range strings.Lines(string(block[1])) {
		cmd := exec.CommandContext(within(t), "sh", "-c", strings.Replace(line, "curl", "curl --fail --noproxy '*'", 1))
		cmd.Env = append(os.Environ(), "URL=http://"+s.addr)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v, %q", line, err, out)
		}
	}
	web := webClient(t, nil, 1)
	if resp, _ := fetch(t, web, "http://"+s.addr+"/debug/pprof/goroutine?debug=1"); resp.StatusCode != http.StatusOK {
		t.Errorf("pprof: %s", resp.Status)
	}
}

// The health pages on the server's own port; another http.Server takes the handler
// as well.
func ExampleServer_HealthHandler() {
	server := rollcall.NewServer(rollcall.ServerOptions{})
	server.HandleHTTP("/", server.HealthHandler()) // /healthz and /readyz

	recorder := httptest.NewRecorder()
	server.HealthHandler().ServeHTTP(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/readyz", nil))
	fmt.Print(recorder.Code, " ", recorder.Body)
	// Output: 503 the server does not serve
}
