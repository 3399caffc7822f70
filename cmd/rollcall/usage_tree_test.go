// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageRows hold, for each command by its path, the arguments that it needs, one
// argument too many (where any number is taken: one that is refused), and a value
// that each of its flags refuses. Groups have a word that is none of their
// commands instead.
var usageRows = map[string]struct {
	args    []string // what it needs
	surplus string   // what is too much behind all that it takes
	flags   map[string]string
}{
	"":                {surplus: "frobnicate"},
	"bench":           {surplus: "frobnicate"},
	"bench run":       {[]string{nobody}, "x", with(wrongForCall, map[string]string{"callers": "0", "connections": "many", "duration": "0s", "output": "xml", "size": "-1", "warmup": "-1s"})},
	"bench serve":     {nil, "x", with(wrongForServer, map[string]string{"listen": "8001", "registry": "nowhere"})},
	"call":            {[]string{nobody, "M", "{}"}, "x", with(wrongForCall, map[string]string{"balance": "fair", "count": "0", "check": "perhaps", "explain": "perhaps", "idempotent": "perhaps", "instance": "", "interval": "-1s", "metadata": "user", "output": "xml", "skeleton": "perhaps", "timeout": "soon"})},
	"cert":            {surplus: "frobnicate"},
	"cert ca":         {nil, "x", wrongForCert},
	"cert client":     {[]string{"billing"}, "x", with(wrongForCert, map[string]string{"name": "a/b"})},
	"cert server":     {[]string{"127.0.0.1"}, "h:1", with(wrongForCert, map[string]string{"name": "ca"})},
	"chaos":           {nil, "x", map[string]string{"callers": "-1", "duration": "0s", "ensemble": "127.0.0.1:2181", "list": "perhaps", "max-wait": "0s", "only": "quake", "output": "xml", "rate": "-1", "registry": "static://127.0.0.1:1", "seed": "-1", "servers": "1", "short": "perhaps"}},
	"chaos-server":    {nil, "x", map[string]string{"advertise": anyText, "listen": "8001", "log": anyText, "max-buffered": "-1", "max-connections": "-1", "max-files": "-1", "max-streams": "-1", "registry": anyText, "session": "0s"}}, // hidden: chaos starts it
	"completion":      {[]string{"bash"}, "x", nil},
	"demo":            {nil, "x", map[string]string{"pace": "soon"}},
	"demo-server":     {nil, "x", map[string]string{"listen": "8001", "registry": anyText}}, // hidden: the demonstration starts it
	"drain":           {[]string{"zk://127.0.0.1:1/rpc", "x"}, "", with(wrongForRegistry, map[string]string{"force": "perhaps", "output": "xml", "reason": "\xff", "timeout": "0s"})},
	"health":          {[]string{nobody}, "x", with(wrongForCall, map[string]string{"output": "xml", "timeout": "0s"})},
	"methods":         {[]string{nobody}, "x", with(wrongForCall, map[string]string{"instance": "", "output": "xml", "timeout": "0s"})},
	"ls":              {[]string{nobody}, "x", with(wrongForRegistry, map[string]string{"output": "xml", "timeout": "0s", "watch": "perhaps"})},
	"registry":        {[]string{"--memory"}, "x", map[string]string{"config": "", "data": "", "listen": ":70000", "max-session-timeout": "0s", "memory": "perhaps", "min-session-timeout": "-1s", "segment-bytes": "64kB", "snapshot-bytes": "63KiB", "tick": "0", "verbose": "perhaps"}},
	"registry backup": {[]string{"--data", "d", "out"}, "x", map[string]string{"data": ""}},
	"registry check":  {[]string{"d"}, "x", map[string]string{"output": "xml"}},
	"undrain":         {[]string{"zk://127.0.0.1:1/rpc", "x"}, "", with(wrongForRegistry, map[string]string{"output": "xml", "prune": "0s", "timeout": "0s"})},
	"version":         {nil, "x", map[string]string{"output": "xml", "verbose": "perhaps"}},
	"weight":          {[]string{"zk://127.0.0.1:1/rpc", "x", "1"}, "x", with(wrongForRegistry, map[string]string{"force": "perhaps", "output": "xml", "reason": "\xff", "timeout": "0s"})},
	"zk":              {surplus: "frobnicate"},
	"zk create":       {[]string{"/x", "data"}, "x", with(wrongForRegistry, map[string]string{"ephemeral": "perhaps", "output": "xml", "parents": "perhaps", "sequential": "perhaps", "timeout": "0s"})},
	"zk get":          {[]string{"/x"}, "x", with(wrongForRegistry, map[string]string{"output": "xml", "timeout": "0s"})},
	"zk ls":           {[]string{"/x"}, "x", with(wrongForRegistry, map[string]string{"long": "perhaps", "output": "xml", "recursive": "perhaps", "timeout": "0s"})},
	"zk rm":           {[]string{"/x"}, "x", with(wrongForRegistry, map[string]string{"recursive": "perhaps", "timeout": "0s", "version": "-1"})},
	"zk set":          {[]string{"/x", "data"}, "x", with(wrongForRegistry, map[string]string{"output": "xml", "timeout": "0s", "version": "new"})},
	"zk stat":         {[]string{"/x"}, "x", with(wrongForRegistry, map[string]string{"output": "xml", "timeout": "0s"})},
	"zk watch":        {[]string{"/x"}, "x", with(wrongForRegistry, map[string]string{"output": "xml", "timeout": "0s"})},
}

// The wrong values of the flags that commands share.
var (
	wrongForRegistry = map[string]string{
		"auth": "secret", "auth-file": "", "tls-ca": "", "tls-cert": "", "tls-key": "",
		"registry-tls-ca": "", "registry-tls-cert": "", "registry-tls-key": "", "registry-tls-name": "",
	}
	wrongForCert   = map[string]string{"dir": "", "force": "perhaps", "valid": "0s"}
	wrongForServer = with(wrongForRegistry, map[string]string{"tls-allow-plaintext": "perhaps"})
	wrongForCall   = with(wrongForServer, map[string]string{"tls": "perhaps", "tls-name": "", "token-file": "", "token-in-clear-text": "perhaps"})
)

// with returns both.
func with(shared, own map[string]string) map[string]string {
	all := maps.Clone(shared)
	maps.Copy(all, own)
	return all
}

const (
	nobody  = "static://127.0.0.1:1"
	anyText = "any text will do" // of a flag that refuses nothing
)

// Every command and every flag has a row of wrong usage: who adds one without is
// told here, and each row is tried.
func TestEveryCommandRefusesWrongUsage(t *testing.T) {
	seen := map[string]bool{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		path := strings.Join(words, " ")
		seen[path] = true
		if _, ok := usageRows[path]; !ok {
			t.Errorf("%q has no row of wrong usage: add one to usageRows", cmd.CommandPath())
			return
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) { checkUsage(t, cmd, words) })
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	for path := range usageRows {
		if !seen[path] {
			t.Errorf("%q has a row of wrong usage and is no command", path)
		}
	}
}

// checkUsage tries the row of one command.
func checkUsage(t *testing.T, cmd *cobra.Command, words []string) {
	t.Helper()
	row := usageRows[strings.Join(words, " ")]
	refuses := func(want string, args ...string) {
		t.Helper()
		got := command(t, append(append([]string{}, words...), args...)...)
		got.check(t, statusUsage, nil, []string{want, "see \"" + cmd.CommandPath()})
		if got.stdout != "" {
			t.Errorf("stdout is not empty: %q", got.stdout)
		}
	}
	refuses("unknown flag --no-such-flag", append(row.args, "--no-such-flag")...)
	refuses(fmt.Sprintf("%q", row.surplus), append(row.args, row.surplus)...)
	if len(row.args) > 0 && strings.Contains(cmd.Use, " "+strings.ToUpper(firstWord(cmd.Use))) {
		refuses("is missing: give")
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		wrong, ok := row.flags[f.Name]
		switch {
		case f.Name == "help":
		case !ok:
			t.Errorf("--%s has no wrong value: add one to usageRows", f.Name)
		case wrong != anyText:
			shown := fmt.Sprintf(" %q", wrong)
			if v, ok := f.Value.(secretive); ok {
				shown = v.shown(wrong)
			}
			refuses("--"+f.Name+shown+": ", append(row.args, "--"+f.Name+"="+wrong)...)
		}
		if f.Value.Type() != "bool" {
			refuses("--"+f.Name+" has no value: give one", append(row.args, "--"+f.Name)...)
		}
	})
	for name := range row.flags {
		if cmd.LocalFlags().Lookup(name) == nil {
			t.Errorf("--%s has a row and is no flag", name)
		}
	}
}

// firstWord returns the first argument of a use line, "TARGET" of "run TARGET".
func firstWord(use string) string {
	words := strings.Fields(use)
	if len(words) < 2 || strings.ContainsAny(words[1], "[-") {
		return "\x00" // it needs none
	}
	return words[1]
}
