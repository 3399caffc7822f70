// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/auth"
)

func TestTokens(t *testing.T) {
	long := strings.Repeat("x", 5000)
	verify, err := auth.Tokens(map[string]string{"one": "billing", "two": "billing", "three": "shop", long: "long"})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"one": "billing", "two": "billing", "three": "shop", long: "long"} {
		if got, err := verify(t.Context(), token); got != want || err != nil {
			t.Errorf("%.10q: %q, %v, want %q", token, got, err, want)
		}
	}
	for _, token := range []string{"", "on", "onee", "One", "billing", long[1:]} {
		if got, err := verify(t.Context(), token); err == nil || got != "" || (token != "" && strings.Contains(err.Error(), " "+token)) {
			t.Errorf("%.10q: %q, %v", token, got, err)
		}
	}
}

func TestTokensErrors(t *testing.T) {
	for _, tt := range []struct {
		token, identity string
		says            string
	}{
		{"", "billing", "\"billing\" is empty"},
		{"s3cret x", "billing", "\"billing\" has a space"},
		{"s3cret\n", "billing", "\"billing\" has a space"},
		{"s3cret", "", "identity of a token is empty"},
		{"s3cret", "\xff", "UTF-8"},
	} {
		_, err := auth.Tokens(map[string]string{tt.token: tt.identity, "fine": "shop"})
		wantText(t, err, "auth: Tokens", tt.says)
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestTokensFile(t *testing.T) {
	log := logged(t)
	synctest.Test(t, func(t *testing.T) {
		path := newFile(t, "# who, token\n\nbilling one\nbilling\ttwo\r\n  shop   three")
		verify, err := auth.TokensFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := func(token, identity string) {
			t.Helper()
			if got, err := verify(t.Context(), token); got != identity || (err == nil) != (identity != "") {
				t.Errorf("%q: %q, %v, want %q", token, got, err, identity)
			}
		}
		want("one", "billing")
		want("two", "billing")
		want("three", "shop")
		want("#", "")
		write(t, path, "billing two\nshop three\n")
		time.Sleep(time.Second)
		want("one", "")
		want("two", "billing")
		write(t, path, "billing two\nshop\n")
		for range 3 {
			time.Sleep(time.Second)
			want("three", "shop")
		}
		if n := log.count("line 2 has 1 words"); n != 1 {
			t.Errorf("the bad line is told %d times", n)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want("three", "shop")
		if log.count("level=WARN") != 2 || log.count("level=INFO") != 1 || log.count("three") != 0 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

func TestTokensFileErrors(t *testing.T) {
	for content, says := range map[string]string{
		"":                              "it has no tokens",
		"# nobody\n":                    "it has no tokens",
		"billing one\n\nshop":           "line 3 has 1 words",
		"billing s3cret more":           "line 1 has 3 words",
		"billing s3cret\nshop s3cret\n": "line 2: \"billing\" and \"shop\" have the same token",
		"billing s3cr\u00e9t":           "line 1: the token of \"billing\" has",
	} {
		path := newFile(t, content)
		_, err := auth.TokensFile(path)
		wantText(t, err, "auth: tokens file "+path, says)
		if err != nil && strings.Contains(err.Error(), "s3cr") {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
	_, err := auth.TokensFile("/nowhere/tokens")
	wantText(t, err, "auth: tokens file /nowhere/tokens", "name a file")
}
