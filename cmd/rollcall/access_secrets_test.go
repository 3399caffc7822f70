// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// hush is a secret of these tests: no output may have it.
const hush = "hush-0a1b2c"

// write writes a file that its owner alone may read, or everybody.
func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// silent fails where the secret was printed.
func (r result) silent(t *testing.T) {
	t.Helper()
	if strings.Contains(r.stdout+r.stderr, hush) {
		t.Errorf("the secret is printed:\n%s%s", r.stdout, r.stderr)
	}
}

func TestToken(t *testing.T) {
	p := newPKI(t)
	admit := func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		if call.Metadata[rollcall.MetadataAuthorization] != "Bearer "+hush {
			return nil, rollcall.Errorf(rollcall.CodeUnauthenticated, "", "no token, or a wrong one")
		}
		return nil, nil
	}
	one := serve(t, rollcall.ServerOptions{TLS: p.server(t), AllowPlaintext: true, Admissions: []rollcall.Admission{admit}})
	call := []string{"call", "static://" + one.addr, divideMethod.Name}
	secure := append(call, p.mutual()...)
	file, open := write(t, hush+"\n", 0o600), write(t, hush, 0o644)

	command(t, secure...).check(t, statusFailure, nil, []string{"Unauthenticated", "no token"})
	command(t, append(secure, "--token-file", file)...).check(t, statusOK, nil, nil)
	got := command(t, append(secure, "--token-file", open)...)
	got.check(t, statusOK, nil, []string{`rollcall: --token-file "` + open + `": everybody on this machine may read it: chmod 600 it`})
	got.silent(t)

	// Not over clear text unless that is meant.
	refused := `--token-file "` + file + `": the token would go over clear text: give`
	command(t, append(call, "--token-file", file)...).check(t, statusUsage, nil, []string{refused})
	command(t, append(secure, "--tls=false", "--token-file", file)...).check(t, statusUsage, nil, []string{refused})
	command(t, append(call, "--token-file", file, "--token-in-clear-text")...).check(t, statusOK, nil, nil)
	mixed := append([]string{"call", "zk://127.0.0.1:1/rpc", "M", "--tls-allow-plaintext", "--token-file", file}, p.mutual()...)
	command(t, mixed...).check(t, statusUsage, nil, []string{"the token may go over clear text"})

	t.Setenv("ROLLCALL_TOKEN", hush)
	command(t, secure...).check(t, statusOK, nil, nil)
	got = command(t, call...)
	got.check(t, statusUsage, nil, []string{"ROLLCALL_TOKEN: the token would go over clear text"})
	got.silent(t)
	wrong := write(t, "another", 0o600)
	command(t, append(secure, "--token-file", wrong)...).check(t, statusFailure, nil, []string{"Unauthenticated"})
	t.Setenv("ROLLCALL_TOKEN_FILE", file)
	command(t, secure...).check(t, statusUsage, nil, []string{"ROLLCALL_TOKEN together with ROLLCALL_TOKEN_FILE: set one"})
	t.Setenv("ROLLCALL_TOKEN", "")
	command(t, secure...).check(t, statusOK, nil, nil)
}

// Credentials come by flag, by file and by the environment; a flag goes first.
func TestAuthSources(t *testing.T) {
	registry := zktest.Start(t)
	owner, err := zk.New([]string{registry.Addr()}, zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("me:" + hush)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	create(t, owner, "/closed", []byte("x"), []zk.ACL{{Perms: jute.PermAll, Scheme: "auth"}})
	get := []string{"zk", "get", "zk://" + registry.Addr() + "/closed"}
	file := write(t, "# who we are\r\n\r\ndigest:other:x\r\ndigest:me:"+hush+"\r\n", 0o600)
	open := write(t, "digest:me:"+hush, 0o604)

	command(t, append(get, "--auth-file", file)...).check(t, statusOK, []string{"x"}, nil)
	command(t, append(get, "--auth", "digest:a:b", "--auth-file", file)...).check(t, statusOK, []string{"x"}, nil)
	got := command(t, append(get, "--auth-file", open)...)
	got.check(t, statusOK, nil, []string{`--auth-file "` + open + `": everybody on this machine may read it`})
	got.silent(t)

	t.Setenv("ROLLCALL_AUTH", "digest:other:x\ndigest:me:"+hush)
	command(t, get...).check(t, statusOK, []string{"x"}, nil)
	command(t, "ls", "static://127.0.0.1:1").check(t, statusOK, nil, nil) // it is for other targets
	command(t, append(get, "--auth", "digest:a:b")...).check(t, statusFailure, nil, []string{"does not permit that to any identity"})
	t.Setenv("ROLLCALL_AUTH_FILE", file)
	got = command(t, get...)
	got.check(t, statusUsage, nil, []string{"ROLLCALL_AUTH together with ROLLCALL_AUTH_FILE: set one of them"})
	got.silent(t)
	t.Setenv("ROLLCALL_AUTH", "")
	command(t, get...).check(t, statusOK, []string{"x"}, nil)
}

// What is wrong with a secret is said without it.
func TestNoErrorPrintsSecrets(t *testing.T) {
	const registry = "zk://127.0.0.1:1/rpc"
	call := []string{"call", nobody, "M", "--tls"}
	spaced := write(t, "two words "+hush, 0o600)
	scheme := write(t, "digest:a:b\n"+hush+"\n", 0o600)
	pair := write(t, "digest:"+hush, 0o600)
	none := write(t, "# nothing\n", 0o600)
	large := write(t, strings.Repeat(hush+"\n", maxSecretFile/len(hush)), 0o600)
	for _, tt := range []struct {
		name string
		env  string // NAME=VALUE
		args []string
		want string
	}{
		{"auth", "", []string{"ls", "--auth", hush}, "--auth: give SCHEME:DATA, such as"},
		{"digest", "", []string{"ls", "--auth", "digest:" + hush}, "--auth: give digest:USER:PASSWORD"},
		{"auth for nobody", "", []string{"ls", nobody, "--auth", "digest:a:" + hush}, "has no registry"},
		{"auth file for nobody", "", []string{"ls", nobody, "--auth-file", pair}, `--auth-file "` + pair + `": target`},
		{"auth file", "", []string{"ls", registry, "--auth-file", scheme}, `--auth-file "` + scheme + `": line 2: give SCHEME:DATA`},
		{"digest in a file", "", []string{"ls", registry, "--auth-file", pair}, `line 1: give digest:USER:PASSWORD`},
		{"file of nothing", "", []string{"ls", registry, "--auth-file", none}, "nothing is in it: give SCHEME:DATA"},
		{"large file", "", []string{"ls", registry, "--auth-file", large}, "it is larger than"},
		{"no file", "", []string{"ls", registry, "--auth-file", "/none"}, `--auth-file "/none": no such file or directory: name a file`},
		{"variable", "ROLLCALL_AUTH=" + hush, []string{"ls", registry}, "ROLLCALL_AUTH: line 1: give SCHEME:DATA"},
		{"variable of a file", "ROLLCALL_AUTH_FILE=" + pair, []string{"ls", registry}, `ROLLCALL_AUTH_FILE "` + pair + `": line 1`},
		{"token", "", append(call, "--token-file", spaced), `--token-file "` + spaced + `": its token has a space`},
		{"empty token", "", append(call, "--token-file", write(t, "\n", 0o600)), "nothing is in it: give the token alone"},
		{"no token file", "", append(call, "--token-file", "/none"), `--token-file "/none": no such file or directory: name a file`},
		{"token of the environment", "ROLLCALL_TOKEN=a " + hush, call, "ROLLCALL_TOKEN: its token has a space"},
		{"metadata", "", append(call, "--metadata", "="+hush), `--metadata "=…": give KEY=VALUE`},
		{"metadata twice", "", append(call, "--metadata", "authorization="+hush, "--metadata", "authorization="+hush), `--metadata "authorization=…": key`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			got := command(t, tt.args...)
			got.check(t, statusUsage, nil, []string{tt.want})
			got.silent(t)
		})
	}

	// Nor does what the registry or a server answers.
	refused := zktest.Start(t).Target("/rpc")
	command(t, "ls", refused, "--auth", "nosuch:"+hush).silent(t)
	command(t, "call", "static://"+closedPort(t), "M", "--token-in-clear-text", "--token-file", write(t, hush, 0o600)).silent(t)
}
