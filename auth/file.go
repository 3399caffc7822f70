// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/internal/reload"
)

// A file is a file that is read again when it changes.
type file[T any] struct {
	what   string // for texts: "token file"
	path   string
	secret bool // warn where others may read it
	parse  func(content []byte) (T, error)
}

// open reads the file. Errors name it and what to do.
func (f file[T]) open() (*reload.Value[T], error) {
	var warned atomic.Bool
	log := slog.Default().With("file", f.path, "what", f.what)
	value, err := reload.Files[T]{
		Paths: []string{f.path},
		Parse: func(contents [][]byte) (T, error) {
			value, err := f.parse(contents[0])
			// Not for what cannot be used: it may be opened again and again.
			if err == nil && f.secret && readByOthers(f.path) && !warned.Swap(true) {
				log.Warn("others than its owner may read a file with secrets: chmod 600 it")
			}
			return value, err
		},
		Changed: func(_ T, err error) {
			if err != nil {
				log.Warn("a changed file cannot be used: what it said before stays in use", "error", f.explain(err))
				return
			}
			log.Info("a file has changed, and what it says is in use")
		},
	}.Open()
	if err != nil {
		return nil, f.explain(err)
	}
	return value, nil
}

// explain names the file in an error of reading or parsing it.
func (f file[T]) explain(err error) error {
	if unread, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("auth: %s %s: %w: name a file that this process may read", f.what, f.path, unread.Err)
	}
	return fmt.Errorf("auth: %s %s: %w", f.what, f.path, err)
}

// readByOthers tells whether the group or all may read a file.
func readByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0
}
