// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/auth"
)

func TestStaticToken(t *testing.T) {
	if got, err := auth.StaticToken("s3cret")(t.Context()); got != "s3cret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, token := range []string{"", "s3cret\n", "s3 cret"} {
		got, err := auth.StaticToken(token)(t.Context())
		if wantText(t, err, "StaticToken", "give"); got != "" || (err != nil && strings.Contains(err.Error(), "cret")) {
			t.Errorf("%q: %q, %v", token, got, err)
		}
	}
}

func TestTokenFile(t *testing.T) {
	log := logged(t)
	synctest.Test(t, func(t *testing.T) {
		path := newFile(t, "one\n")
		token := auth.TokenFile(path)
		want := func(want string) {
			t.Helper()
			if got, err := token(t.Context()); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		want("one")
		write(t, path, "two\r\n")
		time.Sleep(time.Second - 1)
		want("one")
		time.Sleep(time.Nanosecond)
		want("two")
		for content, says := range map[string]string{"": "is empty", "\n": "is empty", "thr33\nthr33": "has a space"} {
			write(t, path, content)
			time.Sleep(time.Second)
			want("two")
			if log.count(says) == 0 {
				t.Errorf("%q is not told", content)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want("two")
		write(t, path, "four")
		time.Sleep(time.Second)
		want("four")
		if log.count("thr33") != 0 || log.count("owner") != 0 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

// A token that comes later than the client is found, a second after it was missed
// at most.
func TestTokenFileComesLater(t *testing.T) {
	log := logged(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		token := auth.TokenFile(path)
		for range 2 {
			got, err := token(t.Context())
			if wantText(t, err, "auth: token file "+path, "no such file", "name a file that this process may read"); got != "" {
				t.Errorf("got %q", got)
			}
		}
		write(t, path, " ")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_, err := token(t.Context())
		wantText(t, err, "auth: token file "+path, "give the token alone, on one line")
		write(t, path, "one")
		time.Sleep(time.Second - 1)
		if _, err := token(t.Context()); err == nil {
			t.Error("the file is looked at more than once a second")
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		var together sync.WaitGroup
		for range 4 {
			together.Go(func() {
				if got, err := token(t.Context()); got != "one" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		together.Wait()
	})
	if log.count("level") != 0 {
		t.Errorf("logged %s", log.b.String())
	}
}

// A file that others may read is told of once, whatever becomes of it.
func TestTokenFileOfAll(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604} {
		log := logged(t)
		synctest.Test(t, func(t *testing.T) {
			path := newFile(t, "one")
			token := auth.TokenFile(path)
			for _, content := range []string{"two", "three"} {
				write(t, path, content)
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
				if got, err := token(t.Context()); got != content || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				time.Sleep(time.Second)
			}
		})
		if log.count("chmod 600") != 1 || log.count("three") != 0 {
			t.Errorf("%v: logged %s", mode, log.b.String())
		}
	}
}
