// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/reload"
)

// StaticToken returns what rollcall.ClientOptions.Token and rollcall.DebugOptions.Token
// take, for a token that never changes. One that cannot travel in a header, because
// it is empty or has a space or a control character in it, is the error of every use.
func StaticToken(token string) func(ctx context.Context) (string, error) {
	err := checkToken(token)
	if err != nil {
		token, err = "", fmt.Errorf("auth: the token of StaticToken %w", err)
	}
	return func(context.Context) (string, error) { return token, err }
}

// TokenFile returns what rollcall.ClientOptions.Token and rollcall.DebugOptions.Token
// take, for a token that a file holds, alone, on one line. The file is looked at
// again when a token is wanted, at most once a second; a file that is gone or cannot
// be used leaves the last good token in use, and the log says so once per change. As
// long as there has been none, each use is an error that names the file and what
// to do, so the file may come later than the client.
//
// Where the group or all may read the file, the log warns of it, once.
func TokenFile(path string) func(ctx context.Context) (string, error) {
	t := &tokenFile{file: file[string]{what: "token file", path: path, secret: true, parse: parseToken}}
	return t.token
}

// A tokenFile is a file that holds one token, and may not be there yet.
type tokenFile struct {
	file file[string]

	value atomic.Pointer[reload.Value[string]] // nil: it could not be opened yet

	mu    sync.Mutex // held while it is opened; guards what follows
	err   error      // of the last attempt
	tried time.Time  // when that was
}

func (t *tokenFile) token(context.Context) (string, error) {
	value := t.value.Load()
	if value == nil {
		var err error
		if value, err = t.open(); err != nil {
			return "", err
		}
	}
	return value.Get(), nil
}

// open returns the file's value once there is one.
func (t *tokenFile) open() (*reload.Value[string], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if value := t.value.Load(); value != nil {
		return value, nil
	}
	if t.err != nil && time.Since(t.tried) < reload.DefaultEvery {
		return nil, t.err
	}
	value, err := t.file.open()
	t.err, t.tried = err, time.Now()
	if err == nil {
		t.value.Store(value)
	}
	return value, err
}

func parseToken(content []byte) (string, error) {
	token := string(bytes.TrimRight(content, "\r\n"))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("its token %w", err)
	}
	return token, nil
}

var (
	errEmptyToken = errors.New("is empty: give one of at least one character")
	errWideToken  = errors.New("has a space, a control character or one beyond ASCII in it: give the token alone, on one line")
)

// checkToken returns what is wrong with a token, without quoting it.
func checkToken(token string) error {
	if token == "" {
		return errEmptyToken
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return errWideToken
		}
	}
	return nil
}
