// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// zooKeepers are what the commands are tested with: they are for any ZooKeeper.
var zooKeepers = []struct {
	name  string
	start func(testing.TB) string // returns the address
}{
	{"apache", func(t testing.TB) string { return realtest.Apache(t).Addr() }},
	{"embedded", func(t testing.TB) string { return zktest.Start(t).Addr() }},
}

// A step is a command line behind "rollcall zk", and what it comes to. An @ in
// arguments stands for the address of the scenario's own node, elsewhere for its
// path.
type step struct {
	args   string // split at spaces
	stdin  string
	status int
	stdout string
	stderr string // a part of it; empty: all of it
}

var scenarios = []struct {
	name  string
	steps []step
}{
	{"data", []step{
		{args: "create @ hello", stdout: "@\n"},
		{args: "get @", stdout: "hello"},
		{args: "set @ -", stdin: "a\x00\xff\n", stdout: "version 1\n"},
		{args: "get @", stdout: "a\x00\xff\n"},
		{args: "set @ late --version 0", status: 1, stderr: "rollcall: @: its version is 1, not the one given: read it again\n"},
		{args: "set @ third --version 1", stdout: "version 2\n"},
		{args: "set @ -- -o", stdout: "version 3\n"},
		{args: "get @/", stdout: "-o"},
		{args: "create @", status: 1, stderr: "rollcall: @: the node exists already: change its data with set\n"},
	}},
	{"rm", []step{
		{args: "create @ -", stdin: "piped", stdout: "@\n"},
		{args: "rm @ --version 1", status: 1, stderr: "its version is 0"},
		{args: "rm @ --version 0"},
		{args: "rm @", status: 1, stderr: "rollcall: @: no such node, the nearest that exists is /\n"},
		{args: "rm -R @", status: 1, stderr: "no such node"},
		{args: "create -p @/a/b/c", stdout: "@/a/b/c\n"},
		{args: "create @/d", stdout: "@/d\n"},
		{args: "rm @", status: 1, stderr: "rollcall: @: the node has children: add -R to remove them too\n"},
		{args: "rm -R @/d", stderr: "removed 1 node\n"},
		{args: "rm -R @", stderr: "removed 4 nodes\n"},
		{args: "ls @", status: 1, stderr: "no such node"},
	}},
	{"missing", []step{
		{args: "create -p @/a", stdout: "@/a\n"},
		{args: "get @/a/b/c", status: 1, stderr: "rollcall: @/a/b/c: no such node, the nearest that exists is @/a\n"},
		{args: "stat @/b/c", status: 1, stderr: "the nearest that exists is @\n"},
		{args: "set @/b x", status: 1, stderr: "no such node"},
		{args: "create @/b/c", status: 1, stderr: "rollcall: @/b/c: its parent does not exist, the nearest that exists is @: add --parents\n"},
	}},
	{"sequence", []step{
		{args: "create -p -s @/job-", stdout: "@/job-0000000000\n"},
		{args: "create -s @/job-", stdout: "@/job-0000000001\n"},
		{args: "create -s @/", stdout: "@/0000000002\n"},
	}},
	{"list", []step{
		{args: "create @", stdout: "@\n"},
		{args: "ls @", stderr: "@ has no children\n"},
		{args: "ls @ -o json", stdout: "{\n  \"path\": \"@\",\n  \"nodes\": []\n}\n"},
		{args: "create -p @/b/x text", stdout: "@/b/x\n"},
		{args: "create -p @/b-/y", stdout: "@/b-/y\n"},
		{args: "create @/a\u202eb", stdout: "@/a?b\n"},
		{args: "ls @", stdout: "a?b\nb\nb-\n"},
		{args: "ls -R @", stdout: "@/a?b\n@/b\n@/b/x\n@/b-\n@/b-/y\n"},
		{args: "ls @/b -o json", stdout: "{\n  \"path\": \"@/b\",\n  \"nodes\": [\n    {\n      \"path\": \"@/b/x\"\n    }\n  ]\n}\n"},
	}},
}

func TestZK(t *testing.T) {
	for _, s := range zooKeepers {
		t.Run(s.name, func(t *testing.T) {
			addr := s.start(t)
			for _, tt := range scenarios {
				t.Run(tt.name, func(t *testing.T) {
					path := "/" + tt.name
					for _, step := range tt.steps {
						step.run(t, addr, path)
					}
				})
			}
			for _, tt := range []struct {
				name string
				test func(t *testing.T, addr string)
			}{
				{"json", testZKJSON},
				{"forbidden", testZKForbidden},
				{"large tree", testZKLargeTree},
				{"watch", testZKWatch},
				{"ephemeral", testZKEphemeral},
			} {
				t.Run(tt.name, func(t *testing.T) { tt.test(t, addr) })
			}
		})
	}
}

func (s step) run(t *testing.T, addr, path string) {
	t.Helper()
	args := []string{"zk"}
	for word := range strings.SplitSeq(s.args, " ") {
		args = append(args, strings.ReplaceAll(word, "@", "zk://"+addr+path))
	}
	got := commandWithInput(t, s.stdin, args...)
	stdout, stderr := strings.ReplaceAll(s.stdout, "@", path), strings.ReplaceAll(s.stderr, "@", path)
	if got.status != s.status || got.stdout != stdout {
		t.Errorf("%s: exit status %d, stdout %q, want %d, %q; stderr %q", s.args, got.status, got.stdout, s.status, stdout, got.stderr)
	}
	if (stderr == "" && got.stderr != "") || !strings.Contains(got.stderr, stderr) {
		t.Errorf("%s: stderr %q, want %q", s.args, got.stderr, stderr)
	}
}

// dial returns a client of its own for a test.
func dial(t *testing.T, addr string, auths ...zk.Auth) *zk.Client {
	t.Helper()
	client, err := zk.New([]string{addr}, zk.Options{Auths: auths})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func create(t *testing.T, client *zk.Client, path string, data []byte, acl []zk.ACL) {
	t.Helper()
	if _, err := client.Create(t.Context(), path, data, zk.ModePersistent, acl); err != nil {
		t.Fatal(err)
	}
}

// document runs a command that prints a JSON document.
func document(t *testing.T, args ...string) (doc map[string]any) {
	t.Helper()
	got := command(t, append([]string{"zk"}, args...)...)
	got.check(t, statusOK, nil, nil)
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	return doc
}

func testZKJSON(t *testing.T, addr string) {
	client, node := dial(t, addr), "zk://"+addr+"/json"
	create(t, client, "/json", []byte("größer"), nil)
	stat, _, err := client.Exists(t.Context(), "/json")
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(stat.Ctime).UTC().Format(time.RFC3339Nano)
	zxid := fmt.Sprintf("0x%x", stat.Czxid)
	wantStat := map[string]any{
		"czxid": zxid, "mzxid": zxid, "pzxid": zxid, "ctime": at, "mtime": at,
		"version": 0.0, "cversion": 0.0, "aversion": 0.0, "ephemeral_owner": nil, "data_length": 8.0, "num_children": 0.0,
	}
	for _, tt := range []struct {
		args []string
		want map[string]any
	}{
		{[]string{"stat", node}, map[string]any{"path": "/json", "stat": wantStat}},
		{[]string{"get", node}, map[string]any{"path": "/json", "stat": wantStat, "data": "größer"}},
		{[]string{"create", node + "/c", "\xff\x00"}, map[string]any{"path": "/json/c"}},
	} {
		if diff := cmp.Diff(tt.want, document(t, append(tt.args, "-o", "json")...)); diff != "" {
			t.Errorf("%v: want -, got +:\n%s", tt.args, diff)
		}
	}
	doc := document(t, "get", node+"/c", "-o", "json")
	if _, text := doc["data"]; text || doc["data_base64"] != "/wA=" {
		t.Errorf("get of bytes: %v", doc)
	}
	doc = document(t, "set", node+"/c", "", "-o", "json")
	if stat := doc["stat"].(map[string]any); stat["version"] != 1.0 || stat["data_length"] != 0.0 {
		t.Errorf("set: %v", doc)
	}
	if doc = document(t, "get", node+"/c", "-o", "json"); doc["data"] != "" {
		t.Errorf("get of nothing: %v", doc)
	}
	doc = document(t, "ls", node, "-l", "-o", "json")
	if child := doc["nodes"].([]any)[0].(map[string]any); child["path"] != "/json/c" || child["stat"].(map[string]any)["version"] != 1.0 {
		t.Errorf("ls -l: %v", doc)
	}
	command(t, "zk", "ls", node, "-l").check(t, statusOK, []string{"NODE  VERSION  BYTES  CHILDREN  OWNER  MODIFIED\nc     1        0      0         -      2"}, nil)
	command(t, "zk", "stat", node).check(t, statusOK, []string{"czxid           " + zxid + "\n", "ephemeralOwner  -\n", "dataLength      8\n", "ctime           2"}, nil)
}

func testZKForbidden(t *testing.T, addr string) {
	owner := dial(t, addr, zk.Auth{Scheme: "digest", Data: []byte("ann:secret")})
	create(t, owner, "/forbidden", nil, nil)
	create(t, owner, "/forbidden/closed", []byte("x"), []zk.ACL{{Perms: jute.PermAll, Scheme: "auth"}})
	create(t, owner, "/forbidden/open", nil, nil)
	root := "zk://" + addr + "/forbidden"

	command(t, "zk", "get", root+"/closed").check(t, statusFailure, nil, []string{"rollcall: /forbidden/closed: its ACL does not permit that: give --auth-file FILE with SCHEME:DATA"})
	command(t, "zk", "get", root+"/closed", "--auth", "digest:ann:secret").check(t, statusOK, []string{"x"}, nil)
	command(t, "zk", "get", root+"/closed", "--auth", "digest:bob:secret").check(t, statusFailure, nil, []string{"to any identity that is given"})
	command(t, "zk", "create", root+"/closed/a").check(t, statusFailure, nil, []string{"rollcall: /forbidden/closed/a: the ACL of its parent does not permit that"})
	command(t, "zk", "rm", "-R", root).check(t, statusFailure, nil, []string{"/forbidden/closed: its ACL"})

	// Servers differ in whether they tell everybody the Stat.
	details, status := "0        1", statusOK
	if _, _, err := dial(t, addr).Exists(t.Context(), "/forbidden/closed"); errors.Is(err, zk.ErrNoAuth) {
		details, status = "-        -", statusFailure
	}
	got := command(t, "zk", "ls", "-R", "-l", root)
	got.check(t, statusFailure, []string{"/forbidden/closed  " + details, "/forbidden/open    0"}, []string{"rollcall: /forbidden/closed: its ACL does not permit that"})
	if got = command(t, "zk", "ls", "-l", root); got.status != status || !strings.Contains(got.stdout, "closed  "+details) || !strings.Contains(got.stdout, "open    0") {
		t.Errorf("ls -l: status %d, %s", got.status, got.stdout)
	}
	command(t, "zk", "get", root+"/closed/a").check(t, statusFailure, nil, []string{"rollcall: /forbidden/closed/a: no such node, the nearest that exists is /forbidden/closed"})

	command(t, "zk", "ls", root, "--auth", "no-such-scheme:x").check(t, statusFailure, nil, []string{"refuses the credentials"})
	command(t, "zk", "rm", "-R", root, "--auth", "digest:ann:secret").check(t, statusOK, nil, []string{"removed 3 nodes"})
}

// A tree that is greater than a transaction goes, whatever its shape.
func testZKLargeTree(t *testing.T, addr string) {
	client := dial(t, addr)
	create(t, client, "/large", nil, nil)
	var ops []zk.Op
	for i := range removeAtOnce / 2 {
		path := fmt.Sprintf("/large/%d", i)
		ops = append(ops, zk.CreateOp(path, nil, zk.ModePersistent, nil), zk.CreateOp(path+"/below", nil, zk.ModePersistent, nil))
	}
	if _, err := client.Multi(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
	got := command(t, "zk", "ls", "-R", "zk://"+addr+"/large")
	if n := strings.Count(got.stdout, "\n"); n != removeAtOnce {
		t.Errorf("%d nodes listed, want %d: %s", n, removeAtOnce, got.stderr)
	}
	command(t, "zk", "rm", "-R", "zk://"+addr+"/large").check(t, statusOK, nil, []string{fmt.Sprintf("removed %d nodes", removeAtOnce+1)})
}

func testZKEphemeral(t *testing.T, addr string) {
	client, node := dial(t, addr), "zk://"+addr+"/ephemeral"
	held := begin(t, "zk", "create", node, "-e", "data")
	if got := line(t, held.stdout); got != "/ephemeral" {
		t.Errorf("stdout %q, want the path", got)
	}
	line(t, held.stderr)
	command(t, "zk", "create", node+"/below").check(t, statusFailure, nil, []string{"its parent is ephemeral and cannot have children"})
	if doc := document(t, "stat", node, "-o", "json"); doc["stat"].(map[string]any)["ephemeral_owner"] == nil {
		t.Errorf("not ephemeral: %v", doc)
	}
	held.stop()
	if got := held.status(); got != statusOK {
		t.Errorf("exit status %d, want %d", got, statusOK)
	}
	if _, there, err := client.Exists(t.Context(), "/ephemeral"); there || err != nil {
		t.Errorf("the node is there still: %v, %v", there, err)
	}

	held = begin(t, "zk", "create", node, "-e", "-s")
	path := line(t, held.stdout)
	line(t, held.stderr)
	if err := client.Delete(t.Context(), path, zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if got, want := line(t, held.stderr), "rollcall: "+path+": the node is gone"; !strings.HasPrefix(got, want) {
		t.Errorf("stderr %q, want %q", got, want)
	}
	if got := held.status(); got != statusFailure {
		t.Errorf("exit status %d, want %d", got, statusFailure)
	}
}

func TestZKEphemeralExpires(t *testing.T) {
	registry := zktest.Start(t)
	held := begin(t, "zk", "create", registry.Target("/x"), "-e")
	line(t, held.stdout)
	line(t, held.stderr)
	for _, s := range registry.Sessions() {
		registry.ExpireSession(s.ID)
	}
	for !strings.Contains(line(t, held.stderr), "/x: the node is gone") {
	}
	if got := held.status(); got != statusFailure {
		t.Errorf("exit status %d, want %d", got, statusFailure)
	}
}

func TestZKSilence(t *testing.T) {
	registry := zktest.Start(t)
	release := registry.Hold()
	defer release()
	command(t, "zk", "ls", registry.Target("/x"), "--timeout", "20ms").check(t, statusFailure, nil, []string{"rollcall: /x: the registry", registry.Addr(), "did not answer within 20ms"})
	refused := "zk://" + closedPort(t) + "/x"
	command(t, "zk", "get", refused, "--timeout", "50ms").check(t, statusFailure, nil, []string{"rollcall: /x: the registry did not answer within 50ms", "refused"})
}

// A path alone is one in the registry of the environment.
func TestZKPathAlone(t *testing.T) {
	registry := zktest.Start(t)
	t.Setenv(environmentTarget, registry.Target("/rpc"))
	command(t, "zk", "create", "/x", "data").check(t, statusOK, []string{"/x\n"}, nil)
	command(t, "zk", "get", "/x").check(t, statusOK, []string{"data"}, nil)
	command(t, "zk", "ls").check(t, statusOK, []string{"x\nzookeeper\n"}, nil)
	command(t, "zk", "ls", "zk://"+registry.Addr()).check(t, statusOK, []string{"x\nzookeeper\n"}, nil)
	command(t, "zk", "create", "/", "-s").check(t, statusOK, []string{"/0000000"}, nil)

	t.Setenv(environmentTarget, "static://127.0.0.1:1")
	command(t, "zk", "get", "/x").check(t, statusUsage, nil, []string{"ROLLCALL_REGISTRY: static://127.0.0.1:1 has no znodes"})
	t.Setenv(environmentTarget, "zk://nowhere")
	command(t, "zk", "get", "/x").check(t, statusUsage, nil, []string{"environment variable ROLLCALL_REGISTRY: "})
}

func TestZKWrongUsage(t *testing.T) {
	const node = "zk://127.0.0.1:1/x"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "no command given"},
		{"unknown command", []string{"lss"}, `unknown command "lss": did you mean ls?`},
		{"relative path", []string{"get", "x"}, `ZNODE "x": give /PATH or zk://HOST:PORT`},
		{"static", []string{"get", "static://127.0.0.1:1"}, `ZNODE "static://127.0.0.1:1": give /PATH`},
		{"port", []string{"get", "zk://h:99999/x"}, `ZNODE "zk://h:99999/x": port "h:99999": `},
		{"no port", []string{"get", "zk://h"}, `ZNODE "zk://h": host "h": write host:port`},
		{"empty name", []string{"get", "/a//b"}, `ZNODE "/a//b": a path has no empty name`},
		{"dots", []string{"get", "/a/../b"}, `ZNODE "/a/../b": a path has no name . or ..`},
		{"control character", []string{"get", "/a\nb"}, "ZooKeeper refuses the character U+000A"},
		{"not UTF-8", []string{"get", "/a\xff"}, "ZooKeeper refuses the character"},
		{"empty", []string{"get", ""}, `ZNODE "": give`},
		{"ls of two", []string{"ls", node, node}, "is one too many: give ZNODE"},
		{"get of none", []string{"get"}, "ZNODE is missing: give ZNODE"},
		{"get of two", []string{"get", node, node}, "is one too many"},
		{"stat of none", []string{"stat"}, "ZNODE is missing"},
		{"watch of none", []string{"watch"}, "ZNODE is missing"},
		{"rm of none", []string{"rm"}, "ZNODE is missing"},
		{"rm of the root", []string{"rm", "-R", "/"}, `ZNODE "/": ZooKeeper needs it`},
		{"rm of the root of hosts", []string{"rm", "-R", "zk://127.0.0.1:1"}, "ZooKeeper needs it"},
		{"rm of /zookeeper", []string{"rm", "/zookeeper/"}, `ZNODE "/zookeeper/": ZooKeeper needs it`},
		{"rm of the quotas", []string{"rm", "-R", "/zookeeper/quota"}, "ZooKeeper needs it"},
		{"rm of a version of many", []string{"rm", "-R", node, "--version", "3"}, "--version 3: it is the version of one node"},
		{"rm version", []string{"rm", node, "--version", "-1"}, `--version "-1": give the whole number that stat shows`},
		{"rm prints nothing", []string{"rm", node, "-o", "json"}, "unknown flag -o"},
		{"create of none", []string{"create"}, "ZNODE is missing: give ZNODE"},
		{"create of the root", []string{"create", "/"}, `ZNODE "/": the root exists always`},
		{"create with more", []string{"create", node, "a", "b"}, `argument "b" is one too many: give ZNODE DATA`},
		{"set without data", []string{"set", node}, "DATA is missing: give ZNODE DATA"},
		{"set version", []string{"set", node, "x", "--version", "new"}, `--version "new": give`},
		{"set great version", []string{"set", node, "x", "--version", "2147483648"}, `--version "2147483648": give`},
		{"auth", []string{"get", node, "--auth", "secret"}, `--auth: give SCHEME:DATA`},
		{"auth without password", []string{"get", node, "--auth", "digest:ann"}, `--auth: give digest:USER:PASSWORD`},
		{"timeout", []string{"get", node, "--timeout", "0s"}, `--timeout "0s": give a duration of at least 1ms`},
		{"format", []string{"get", node, "-o", "yaml"}, `--output "yaml": give table or json`},
		{"bool", []string{"ls", "--recursive=x"}, `--recursive "x": give true or false`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, append([]string{"zk"}, tt.args...)...)
			got.check(t, statusUsage, nil, []string{tt.want, `see "rollcall zk`})
			if got.stdout != "" {
				t.Errorf("stdout is not empty: %q", got.stdout)
			}
		})
	}
	got := commandWithInput(t, strings.Repeat("x", maxStdin+1), "zk", "set", node, "-")
	got.check(t, statusUsage, nil, []string{"DATA from stdin: give at most"})
}

// What is not to be had from a server at will: the words for errors, and whether
// a change may have happened.
func TestZKExplain(t *testing.T) {
	z := &znodeCommand{timeout: span{d: time.Millisecond}, target: discovery.Target{Hosts: []string{"127.0.0.1:1"}}, path: "/x"}
	z.client = dial(t, closedPort(t))
	const maybe = "; it may have been done: look before you do it again"
	for _, tt := range []struct {
		err  zk.Error
		want string
	}{
		{zk.Error{Op: "setData", Sent: true, Err: zk.ErrConnectionLoss}, "/x: the connection was lost before the answer came" + maybe},
		{zk.Error{Op: "multi", Sent: true, Err: zk.ErrConnectionLoss}, "/x: the connection was lost before the answer came" + maybe},
		{zk.Error{Op: "create", Sent: false, Err: zk.ErrConnectionLoss}, "/x: the connection was lost before the answer came"},
		{zk.Error{Op: "getData", Sent: true, Err: zk.ErrConnectionLoss}, "/x: the connection was lost before the answer came"},
		{zk.Error{Op: "create", Sent: true, Err: zk.ErrNoNode}, "/x: its parent does not exist: add --parents"},
		{zk.Error{Op: "setData", Sent: true, Err: zk.ErrBadVersion}, "/x: its version is not the one given: read it again"},
		{zk.Error{Op: "addWatch", Sent: true, Err: zk.ErrUnimplemented}, "/x: the registry does not know persistent watches: that takes ZooKeeper 3.6 or later"},
		{zk.Error{Op: "create", Err: zk.ErrRequestTooLarge}, "/x: the data is too large: a registry takes requests of up to 1 MiB (jute.maxbuffer)"},
		{zk.Error{Op: "create", Sent: true, Err: zk.ErrQuotaExceeded}, "/x: quota exceeded"},
	} {
		tt.err.Path = "/x"
		if got := z.explain(t.Context(), &tt.err).Error(); got != tt.want {
			t.Errorf("%v: got %q, want %q", &tt.err, got, tt.want)
		}
	}
	plain := errors.New("plain")
	if got := z.explain(t.Context(), plain); !errors.Is(got, plain) {
		t.Errorf("got %v, want it unchanged", got)
	}
}

func TestZKDataTooLarge(t *testing.T) {
	got := commandWithInput(t, strings.Repeat("x", 2<<20), "zk", "create", zktest.Start(t).Target("/x"), "-")
	got.check(t, statusFailure, nil, []string{"rollcall: /x: the data is too large"})
}

func TestZKInterrupted(t *testing.T) {
	registry := zktest.Start(t)
	release := registry.Hold()
	defer release()
	for _, args := range [][]string{{"ls"}, {"get"}, {"stat"}, {"rm"}, {"watch"}, {"create"}} {
		waiting := begin(t, "zk", args[0], registry.Target("/x"), "--timeout", "1h")
		waiting.stop()
		if got := line(t, waiting.stderr); got != "rollcall: /x: interrupted" {
			t.Errorf("%s: stderr %q", args[0], got)
		}
		if got := waiting.status(); got != statusFailure {
			t.Errorf("%s: exit status %d, want %d", args[0], got, statusFailure)
		}
	}
}

func TestForTerminal(t *testing.T) {
	for _, tt := range []struct{ data, want string }{
		{"", ""},
		{"text", "text\n"},
		{"größer\tals\n", "größer\tals\n"},
		{"\x1b[31mred\x00\xff\u202e\u009b", "?[31mred?" + "\ufffd" + "??\n"},
	} {
		if got := string(forTerminal([]byte(tt.data))); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.data, got, tt.want)
		}
	}
}

// What a server sends may be anything; JSON holds years of four digits.
func TestStatOfHostileServer(t *testing.T) {
	stat := statToJSON(&zk.Stat{Ctime: 1 << 62, Mtime: -1 << 62, Czxid: -1, EphemeralOwner: -1})
	if stat.Ctime != nil || stat.Mtime != nil || stat.Czxid != "0xffffffffffffffff" || *stat.EphemeralOwner != "0xffffffffffffffff" {
		t.Errorf("got %+v", stat)
	}
	if _, err := json.Marshal(stat); err != nil {
		t.Error(err)
	}
}
