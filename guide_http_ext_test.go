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

// mountPages is the guide's way to mount pages.
func mountPages(mux *http.ServeMux, server *rollcall.Server) {
	health := server.HealthHandler()
	mux.Handle("/healthz", health)
	mux.Handle("/readyz", health)
	mux.Handle("/debug/state", server.DebugHandler())
	mux.HandleFunc("/debug/pprof/", pprof.Index) // of net/http/pprof
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
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
	mounting := regexp.MustCompile(`(?s)\thealth := server.HealthHandler.*?pprof.Profile\)\n`)
	if a, b := mounting.Find(guide), mounting.Find(source); len(a) == 0 || string(a) != string(b) {
		t.Errorf("the guide mounts\n%s\nand the test\n%s", a, b)
	}
	if _, err := exec.LookPath("curl"); errors.Is(err, exec.ErrNotFound) {
		t.Skip("no curl")
	}
	mux := http.NewServeMux()
	s := start(t, "", rollcall.ServerOptions{HTTP: mux}, func(s *rollcall.Server) { mountPages(mux, s) })
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

// The health pages beside others, as ServerOptions.HTTP has them too.
func ExampleServer_HealthHandler() {
	mux := http.NewServeMux()
	server := rollcall.NewServer(rollcall.ServerOptions{HTTP: mux})
	mux.Handle("/healthz", server.HealthHandler())
	mux.Handle("/readyz", server.HealthHandler())

	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/readyz", nil))
	fmt.Print(recorder.Code, " ", recorder.Body)
	// Output: 503 the server does not serve
}
