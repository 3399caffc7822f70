// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompletionScripts(t *testing.T) {
	for _, tt := range []struct{ shell, want string }{
		{"bash", "complete -o default -F __start_rollcall rollcall"},
		{"zsh", "#compdef rollcall"},
		{"fish", "complete -c rollcall"},
		{"powershell", "Register-ArgumentCompleter -CommandName 'rollcall'"},
	} {
		t.Run(tt.shell, func(t *testing.T) {
			command(t, "completion", tt.shell).check(t, statusOK, []string{tt.want}, nil)
		})
	}
}

func TestCompletions(t *testing.T) {
	const (
		noFiles = ":4" // cobra's directives, as the scripts read them
	)
	tests := []struct {
		line string // the last word is the one to complete, "" where the line ends in a space
		want []string
	}{
		{"ls -o ", []string{"table", "json", noFiles}},
		{"ls --output j", []string{"json", noFiles}},
		{"ls ", []string{noFiles}},
		{"ls --timeout ", []string{noFiles}},
		{"call --balance ", []string{"p2c", "random", "round_robin", "ring_hash", noFiles}},
		{"call ", []string{noFiles}},
		{"completion ", []string{"bash", "zsh", "fish", "powershell", noFiles}},
		{"completion bash ", []string{noFiles}},
		{"completion f", []string{"fish", noFiles}},
		{"version -o t", []string{"table", noFiles}},
		{"reg", []string{"registry", noFiles}},
		{"help vers", []string{"version", noFiles}},
		{"zk ", []string{"create", "get", "ls", "rm", "set", "stat", "watch", noFiles}},
		{"zk get ", []string{noFiles}},
		{"zk get /x -o ", []string{"table", "json", noFiles}},
		{"zk get --auth ", []string{noFiles}},
		{"help zk w", []string{"watch", noFiles}},
		{"help version ", []string{noFiles}},
		{"registry --listen ", []string{noFiles}},
		{"registry --mem", []string{"--memory", noFiles}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got := command(t, append([]string{"__complete"}, strings.Split(tt.line, " ")...)...)
			if got.status != statusOK {
				t.Fatalf("exit status %d: %s", got.status, got.stderr)
			}
			var words []string
			for l := range strings.Lines(got.stdout) {
				word, _, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "\t")
				words = append(words, word)
			}
			if diff := cmp.Diff(tt.want, words); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}
