// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWrongUsage(t *testing.T) {
	const static = "static://127.0.0.1:1"
	tests := []struct {
		name string
		args []string
		want string // on stderr
	}{
		{"nothing", nil, "no command given"},
		{"unknown command", []string{"lss"}, `unknown command "lss": did you mean ls?`},
		{"unlike any command", []string{"frobnicate"}, `unknown command "frobnicate": the help lists`},
		{"help about nothing", []string{"help", "frobnicate"}, `unknown command "frobnicate"`},
		{"help about nothing in a group", []string{"help", "zk", "lss"}, `unknown command "lss": did you mean ls?`},
		{"completion", []string{"completion"}, "SHELL is missing: give SHELL"},
		{"completion of an unknown shell", []string{"completion", "ash"}, `SHELL "ash": give bash, zsh, fish or powershell`},
		{"unknown flag", []string{"ls", "--wach"}, "unknown flag --wach"},
		{"unknown short flag", []string{"ls", "-x"}, "unknown flag -x"},
		{"unknown flag of root", []string{"--wach"}, "unknown flag --wach"},
		{"flag without value", []string{"ls", "-o"}, "--output has no value: give one, --output FORMAT"},
		{"format", []string{"ls", "-o", "yaml"}, `--output "yaml": give table or json`},
		{"bool", []string{"ls", "--watch=perhaps"}, `--watch "perhaps": give true or false`},
		{"ls of two", []string{"ls", static, static}, `argument "static://127.0.0.1:1" is one too many: give TARGET`},
		{"ls target", []string{"ls", "http://x:1"}, "http"},
		{"ls target without port", []string{"ls", "zk://x/rpc"}, "port"},
		{"ls target port", []string{"ls", "static://x:99999"}, "99999"},
		{"ls timeout", []string{"ls", "--timeout", "5"}, `--timeout "5": give a duration of at least 1ms, such as 500ms or 5s`},
		{"ls timeout of none", []string{"ls", "--timeout", "0s"}, `--timeout "0s": give`},
		{"call without target", []string{"call"}, "TARGET is missing: give TARGET METHOD"},
		{"call without method", []string{"call", static}, "METHOD is missing: give TARGET METHOD"},
		{"call with more", []string{"call", static, "M", "{}", "x"}, `argument "x" is one too many: give TARGET METHOD JSON`},
		{"call target", []string{"call", "nowhere", "M"}, `rollcall: target "nowhere": scheme`},
		{"call method", []string{"call", static, ""}, `METHOD "" of 0 bytes: give a name`},
		{"call long method", []string{"call", static, strings.Repeat("m", 256)}, "of 256 bytes: give a name of 1 to 255"},
		{"call JSON", []string{"call", static, "M", "{num1:6}"}, `JSON "{num1:6}": give valid JSON`},
		{"call JSON of stdin", []string{"call", static, "M", "-"}, `JSON from stdin "": give valid JSON`},
		{"count", []string{"call", static, "M", "-n", "many"}, `--count "many": give a whole number from 1`},
		{"count of none", []string{"call", static, "M", "-n", "0"}, `--count "0": give`},
		{"interval", []string{"call", static, "M", "--interval", "-1s"}, `--interval "-1s": give a duration such as`},
		{"interval of one call", []string{"call", static, "M", "--interval", "1s"}, "--interval 1s: it is the pause between calls, give --count too"},
		{"instance of nothing", []string{"call", static, "M", "--instance", ""}, `--instance "": give its HOST:PORT or its entry`},
		{"negative JSON", []string{"call", static, "M", "-1"}, "unknown flag -1: an argument that begins with - goes behind --"},
		{"identity for nobody", []string{"call", static, "M", "--auth", "digest:a:b"}, "--auth: target \"static://127.0.0.1:1\" has no registry"},
		{"identity for nobody that lists", []string{"ls", static, "--auth", "digest:a:b"}, "--auth: target \"static://127.0.0.1:1\" has no registry"},
		{"prune", []string{"undrain", static, "--prune", "500ms"}, `--prune "500ms": give a duration of at least 1s, such as 5s or 720h`},
		{"two registries", []string{"chaos", "--ensemble", "127.0.0.1:1=true", "--registry", "zk://127.0.0.1:1/rpc"}, "--registry together with --ensemble: give one"},
		{"registry of nothing", []string{"chaos", "--registry", ""}, `--registry "": target`},
		{"call timeout", []string{"call", static, "M", "--timeout", "-1s"}, `--timeout "-1s": give`},
		{"balance", []string{"call", static, "M", "--balance", "fair"}, `--balance "fair": give one of p2c, random, round_robin, ring_hash`},
		{"metadata", []string{"call", static, "M", "--metadata", "user"}, `--metadata "user=…": give KEY=VALUE`},
		{"metadata twice", []string{"call", static, "M", "--metadata", "a=1", "--metadata", "a=2"}, `--metadata "a=…": key "a" is given twice`},
		{"registry on disk", []string{"registry"}, "--data is missing: give --data DIR to keep the data there, or --memory"},
		{"registry of both", []string{"registry", "--memory", "--data", "d"}, `--memory together with --data "d": give one`},
		{"check of nothing", []string{"registry", "check"}, "DIR is missing: give DIR"},
		{"check format", []string{"registry", "check", "d", "-o", "xml"}, `--output "xml": give table or json`},
		{"backup of nothing", []string{"registry", "backup", "out"}, "--data is missing: give the data directory"},
		{"backup to nothing", []string{"registry", "backup", "--data", "d"}, "OUT is missing: give OUT"},
		{"almost a command of registry", []string{"registry", "chek", "d"}, `unknown command "chek": did you mean check?`},
		{"registry with argument", []string{"registry", "--memory", "x"}, `argument "x": this command takes none`},
		{"listen", []string{"registry", "--memory", "--listen", "2181"}, `--listen "2181": give HOST:PORT`},
		{"listen port", []string{"registry", "--memory", "--listen", ":70000"}, `--listen ":70000": give`},
		{"tick", []string{"registry", "--memory", "--tick", "0"}, `--tick "0": give a duration of at least 1ms`},
		{"sessions", []string{"registry", "--memory", "--min-session-timeout", "5s", "--max-session-timeout", "4s"}, "--max-session-timeout 4s: give at least --min-session-timeout, which is 5s"},
		{"version with argument", []string{"version", "x"}, `argument "x"`},
		{"pace", []string{"demo", "--pace", "soon"}, `--pace "soon": give`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, tt.args...)
			got.check(t, statusUsage, nil, []string{tt.want, `see "rollcall`})
			if got.stdout != "" {
				t.Errorf("stdout is not empty: %q", got.stdout)
			}
		})
	}
}

func TestTargetOfEnvironment(t *testing.T) {
	t.Setenv(environmentTarget, "zk://nowhere")
	command(t, "ls").check(t, statusUsage, nil, []string{"environment variable ROLLCALL_REGISTRY: "})

	t.Setenv(environmentTarget, "static://127.0.0.1:8001")
	command(t, "ls").check(t, statusOK, []string{"127.0.0.1:8001"}, nil)

	// An argument wins.
	command(t, "ls", "static://127.0.0.1:8002").check(t, statusOK, []string{"127.0.0.1:8002"}, nil)
}

// Every command that is shown has help with an example, by --help and by help,
// and what is not built is not shown.
func TestHelp(t *testing.T) {
	short := []string{"Examples:\n  rollcall demo"}
	for _, cmd := range newRoot().Commands() {
		if !cmd.Hidden {
			short = append(short, cmd.Name(), cmd.Short)
			checkHelp(t, cmd)
		}
	}
	all := command(t, "--help")
	all.check(t, statusOK, short, nil)
	for _, absent := range []string{"demo-server", "doctor"} {
		if strings.Contains(all.stdout, absent) {
			t.Errorf("the help shows %q", absent)
		}
	}
}

// checkHelp looks at the help of a command and of those below it.
func checkHelp(t *testing.T, cmd *cobra.Command) {
	t.Helper()
	words := strings.Fields(cmd.CommandPath())[1:]
	t.Run(strings.Join(words, " "), func(t *testing.T) {
		byFlag := command(t, append(words, "--help")...)
		byFlag.check(t, statusOK, []string{"Examples:\n  ", cmd.CommandPath(), "Flags:"}, nil)
		byName := command(t, append([]string{"help"}, words...)...)
		if byName.status != statusOK || byName.stdout != byFlag.stdout {
			t.Errorf("help %s (status %d) says:\n%s\n--help says:\n%s", words, byName.status, byName.stdout, byFlag.stdout)
		}
	})
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			checkHelp(t, sub)
		}
	}
}

// A failure that no command has worded is printed once, with the name of the
// program once.
func TestFailureIsReported(t *testing.T) {
	address := closedPort(t)
	got := command(t, "registry", "--memory", "--listen", "192.0.2.1:1")
	got.check(t, statusFailure, nil, []string{"rollcall: registry: listen tcp 192.0.2.1:1"})
	got = command(t, "ls", "zk://"+address+"/rpc", "--timeout", "1ms")
	if n := strings.Count(got.stderr, "rollcall: "); got.status != statusFailure || n != 1 {
		t.Errorf("status %d, the program is named %d times: %s", got.status, n, got.stderr)
	}
}

func TestInterruptedCommandFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"ls", "zk://" + closedPort(t) + "/rpc"},
		{"call", "zk://" + closedPort(t) + "/rpc", "M"},
		{"demo"},
	} {
		if got := run(ctx, args, strings.NewReader(""), io.Discard, io.Discard); got != statusFailure {
			t.Errorf("%v: exit status %d, want %d", args, got, statusFailure)
		}
	}
}

// The flags' defaults in the help are those that hold.
func TestFlagDefaults(t *testing.T) {
	for _, tt := range []struct{ command, flag, want string }{
		{"ls", "timeout", "5s"},
		{"ls", "output", "table"},
		{"call", "timeout", "5s"},
		{"call", "count", "1"},
		{"call", "interval", "0s"},
		{"zk get", "timeout", "5s"},
		{"zk set", "version", ""},
		{"registry", "listen", "127.0.0.1:2181"},
		{"registry", "tick", "2s"},
		{"registry", "min-session-timeout", ""},
	} {
		cmd, _, err := newRoot().Find(strings.Fields(tt.command))
		if err != nil {
			t.Fatal(err)
		}
		if got := cmd.Flag(tt.flag).DefValue; got != tt.want {
			t.Errorf("%s --%s: default %q, want %q", tt.command, tt.flag, got, tt.want)
		}
	}
}
