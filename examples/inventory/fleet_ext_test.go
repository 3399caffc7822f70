// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/examples/inventory"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A fleet is what the tests run: a registry, and processes beside it.
type fleet struct {
	t        *testing.T
	programs string
	config   string // as README.md has it made
	target   string
	ca       *testca.CA
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		t: t, programs: build(t), config: t.TempDir(), ca: testca.New("inventory"),
		target: zktest.Start(t).Target("/inventory"),
	}
	f.ca.Write(f.config, "ca")
	f.ca.Issue(testca.Leaf{CommonName: "server", Names: []string{"127.0.0.1"}}).Write(f.config, "server")
	f.write("tokens", "front front-secret\nauditor auditor-secret\n")
	f.write("token", "front-secret\n")
	f.write("policy.json", `{
		"Inventory/*": ["front"],
		"Inventory/Get": ["front", "auditor"],
		"Pages/*": ["auditor"],
		"rollcall/*": ["*"]
	}`)
	return f
}

// write writes a file of the configuration and returns its path.
func (f *fleet) write(name, content string) string {
	file := filepath.Join(f.config, name)
	testca.WriteFile(file, []byte(content))
	return file
}

// server starts a server, which is in the list when server returns.
func (f *fleet) server() (p *process, address string) {
	f.t.Helper()
	p = start(f.t, filepath.Join(f.programs, "server"), "-listen", "127.0.0.1:0", "-registry", f.target, "-config", f.config)
	return p, p.address(f.t, "registered")
}

// front starts a front end with the token of that file.
func (f *fleet) front(token string) (p *process, site site) {
	f.t.Helper()
	p = start(f.t, filepath.Join(f.programs, "front"), "-listen", "127.0.0.1:0", "-registry", f.target,
		"-ca", filepath.Join(f.config, "ca.crt"), "-token", token)
	return p, newSite("http://"+p.address(f.t, "serving"), nil)
}

// client returns a client of the servers.
func (f *fleet) client(token string) *rollcall.Client {
	f.t.Helper()
	config, err := tlsfiles.Files{CA: filepath.Join(f.config, "ca.crt")}.Client()
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := rollcall.NewClient(f.target, rollcall.ClientOptions{TLS: config, Token: auth.StaticToken(token)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	return c
}

// A site is what HTTP requests go to.
type site struct {
	url    string
	client *http.Client
}

func newSite(url string, config *tls.Config) site {
	return site{url, &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 100}}}
}

// do sends a request and returns the status and the body of its answer.
func (s site) do(method, path, body string, header ...string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer w.Body.Close()
	all, err := io.ReadAll(w.Body)
	return w.StatusCode, string(bytes.TrimSpace(all)), err
}

// want sends a request and looks for a status and texts in the answer.
func (s site) want(t *testing.T, method, path, body string, status int, says ...string) {
	t.Helper()
	got, answer, err := s.do(method, path, body)
	if err != nil || got != status {
		t.Errorf("%s %s %s: got %d %s, %v, want %d", method, path, body, got, answer, err, status)
	}
	for _, text := range says {
		if compact := strings.ReplaceAll(answer, " ", ""); !strings.Contains(compact, text) {
			t.Errorf("%s %s %s: got %s, want %s in it", method, path, body, answer, text)
		}
	}
}

func TestFleet(t *testing.T) {
	f := newFleet(t)
	server, address := f.server()
	front, site := f.front(filepath.Join(f.config, "token"))

	t.Run("calls", func(t *testing.T) {
		site.want(t, "GET", "/items", "", 200, `{"sku":"bolt","left":1000000}`, `{"sku":"gear","left":5}`)
		site.want(t, "GET", "/items?prefix=g", "", 200, `{"items":[{"sku":"gear","left":5}]}`)
		site.want(t, "GET", "/items/nut", "", 200, `{"sku":"nut","left":1000000}`)
		site.want(t, "GET", "/items/egg", "", 404, `"UNKNOWN_ITEM"`, `"executed":"yes"`)
		site.want(t, "POST", "/items/gear/reserve", `{"count":3,"for":"Ada"}`, 200, `{"left":2}`)
		site.want(t, "POST", "/items/gear/reserve", `{"count":3,"for":"Bob"}`, 409, `"OUT_OF_STOCK"`, `3wanted,2left`)
		site.want(t, "POST", "/items/gear/restock", `{"count":1}`, 200, `{"left":3}`)
		site.want(t, "POST", "/items/gear/reserve", `{"count":3,"for":"Bob"}`, 200, `{"left":0}`)
		site.want(t, "POST", "/items/gear/restock", `{}`, 400, `"BAD_COUNT"`)
		site.want(t, "POST", "/items/gear/restock", `five`, 400, `"BAD_REQUEST"`, `"executed":"no"`)
		site.want(t, "GET", "/items/gear/reserve", "", 405)
	})
	t.Run("deadline", func(t *testing.T) {
		for header, want := range map[string]int{"1ns": 504, "1s": 200, "soon": 400, "-1s": 400, "1h": 400} {
			if got, answer, err := site.do("GET", "/items", "", "Request-Timeout", header); err != nil || got != want {
				t.Errorf("Request-Timeout %s: got %d %s, %v, want %d", header, got, answer, err, want)
			}
		}
	})
	t.Run("declared error", func(t *testing.T) {
		_, err := inventory.Reserve.Call(within(t), f.client("front-secret"), &inventory.Reservation{SKU: "gear", Count: 9})
		if !errors.Is(err, inventory.ErrOutOfStock) || errors.Is(err, inventory.ErrUnknown) {
			t.Errorf("got %v, want ErrOutOfStock", err)
		}
	})
	t.Run("who may", func(t *testing.T) {
		_, wrong := f.front(f.write("wrong", "guessed\n"))
		wrong.want(t, "GET", "/items", "", 502, `"Unauthenticated"`, `"executed":"no"`)
		auditor := f.client("auditor-secret")
		if _, err := inventory.Get.Call(within(t), auditor, &inventory.Query{Sku: "nut"}); err != nil {
			t.Error(err)
		}
		_, err := inventory.Restock.Call(within(t), auditor, &inventory.Delivery{SKU: "nut", Count: 1})
		if rollcall.CodeOf(err) != rollcall.CodePermissionDenied {
			t.Errorf("got %v, want PermissionDenied", err)
		}
	})
	t.Run("access log", func(t *testing.T) {
		reserved := server.await(t, "reserved", func(l line) bool { return l.text("for") == "Ada" })
		if reserved.text("by") != "front" || reserved.text("count") != "3" {
			t.Errorf("got %v, want 3 by front", reserved)
		}
		call := server.await(t, "call", func(l line) bool { return l.text("reason") == "OUT_OF_STOCK" })
		if call.text("method") != "Inventory/Reserve" || call.text("identity") != "front" || call.text("code") != "FailedPrecondition" ||
			call["elapsed"].(float64) <= 0 || call["size"].(float64) <= 0 {
			t.Errorf("got %v", call)
		}
		server.await(t, "call", func(l line) bool { return l.text("code") == "Unauthenticated" && l.text("identity") == "" })
	})
	t.Run("pages", func(t *testing.T) {
		pages := newSite("https://"+address, &tls.Config{RootCAs: f.ca.Pool()})
		pages.want(t, "GET", "/healthz", "", 200)
		pages.want(t, "GET", "/readyz", "", 200)
		for token, want := range map[string]int{"": 401, "front-secret": 403, "auditor-secret": 200} {
			status, vars, err := pages.do("GET", "/debug/vars", "", "Authorization", strings.TrimSpace("Bearer "+token))
			if err != nil || status != want {
				t.Errorf("/debug/vars with %q: got %d, %v, want %d", token, status, err, want)
			}
			for _, counted := range []string{`"Inventory/Reserve FailedPrecondition": 2`, `"Inventory/List Unauthenticated": 1`} {
				if want == 200 && !strings.Contains(vars, counted) {
					t.Errorf("got %s, want %s in it", vars, counted)
				}
			}
		}
	})
	for name, p := range map[string]*process{"front": front, "server": server} {
		p.signal(syscall.SIGTERM)
		if status := p.status(t); status != 0 {
			t.Errorf("the %s ends with status %d, want 0", name, status)
		}
	}
}

// One server of two is killed under calls, a third one comes, and the second one is
// asked to end. No reading request fails, and nothing is reserved twice.
func TestKilledAndDrained(t *testing.T) {
	f := newFleet(t)
	first, _ := f.server()
	second, _ := f.server()
	_, site := f.front(filepath.Join(f.config, "token"))
	load := startLoad(site)

	load.wait(t, 400)
	first.signal(os.Kill)
	first.status(t)
	load.wait(t, 400)
	third, _ := f.server()
	load.wait(t, 100)
	second.signal(syscall.SIGTERM)
	if status := second.status(t); status != 0 {
		t.Errorf("the server that was asked to end has status %d, want 0", status)
	}
	load.wait(t, 100)
	failed, outcomes := load.stop()
	third.signal(syscall.SIGTERM)
	third.status(t) // all it has logged is read
	for _, problem := range failed {
		t.Error(problem)
	}

	times := make(map[string]int)
	for _, server := range []*process{first, second, third} {
		lines, _ := server.logged("reserved")
		if len(lines) == 0 {
			t.Error("a server has reserved nothing: the test shows nothing of it")
		}
		for _, l := range lines {
			times[l.text("for")]++
		}
	}
	unsure := 0
	for customer, executed := range outcomes {
		switch n := times[customer]; {
		case n > 1, n == 0 && executed == "yes", n > 0 && executed == "no":
			t.Errorf("%s was told %q and reserved %d times", customer, executed, n)
		case executed == "maybe":
			unsure++
		}
	}
	if unsure > reservers { // what each had in flight when the first was killed
		t.Errorf("%d requests were told that they are perhaps executed, want %d at most", unsure, reservers)
	}
	t.Logf("%d reservations, %d of them unsure", len(outcomes), unsure)
}

const (
	readers   = 4
	reservers = 4
)

// A load is requests that go on until it is stopped.
type load struct {
	stopped chan struct{}
	ticks   chan struct{} // one for each answer, as far as it holds them
	workers sync.WaitGroup

	mu       sync.Mutex
	failed   []string          // requests that must not fail
	outcomes map[string]string // of reservations by customer: executed
}

func startLoad(s site) *load {
	l := &load{stopped: make(chan struct{}), ticks: make(chan struct{}, 1000), outcomes: make(map[string]string)}
	for i := range readers {
		l.work(func(int) {
			path := []string{"/items", "/items/nut"}[i%2]
			if status, answer, err := s.do("GET", path, ""); err != nil || status != 200 {
				l.fail(fmt.Sprintf("GET %s: %d %s, %v", path, status, answer, err))
			}
		})
	}
	for i := range reservers {
		l.work(func(n int) {
			customer := fmt.Sprintf("customer %d.%d", i, n)
			l.note(customer, s.reserve(l, customer))
		})
	}
	return l
}

// reserve reserves a bolt and returns whether that was executed.
func (s site) reserve(l *load, customer string) (executed string) {
	status, answer, err := s.do("POST", "/items/bolt/reserve", `{"count":1,"for":"`+customer+`"}`)
	var refusal struct{ Executed string }
	switch {
	case err == nil && status == 200:
		return "yes"
	case err == nil && json.Unmarshal([]byte(answer), &refusal) == nil && refusal.Executed == "maybe":
		return "maybe"
	}
	l.fail(fmt.Sprintf("%s: %d %s, %v", customer, status, answer, err))
	return refusal.Executed
}

func (l *load) work(do func(n int)) {
	l.workers.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-l.stopped:
				return
			default:
			}
			do(n)
			select {
			case l.ticks <- struct{}{}:
			default:
			}
		}
	})
}

func (l *load) fail(problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, problem)
}

func (l *load) note(customer, executed string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes[customer] = executed
}

// wait waits for n answers from now on.
func (l *load) wait(t *testing.T, n int) {
	t.Helper()
	for len(l.ticks) > 0 {
		<-l.ticks
	}
	ctx := within(t)
	for range n {
		select {
		case <-l.ticks:
		case <-ctx.Done():
			t.Fatal("the answers stop")
		}
	}
}

func (l *load) stop() (failed []string, outcomes map[string]string) {
	close(l.stopped)
	l.workers.Wait()
	return l.failed, l.outcomes
}
