// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// Dir returns a directory of the operating system as an [FS]. It need not exist
// yet.
func Dir(path string) FS { return dirFS(path) }

type dirFS string

func (d dirFS) Name() string            { return string(d) }
func (d dirFS) path(name string) string { return filepath.Join(string(d), name) }

func (d dirFS) Create(name string) (File, error) {
	return openFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (d dirFS) Open(name string) (File, error) { return openFile(d.path(name), os.O_RDONLY) }
func (d dirFS) Edit(name string) (File, error) { return openFile(d.path(name), os.O_RDWR) }

func (d dirFS) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d dirFS) Remove(name string) error     { return os.Remove(d.path(name)) }

func (d dirFS) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// MakeDir syncs the parent too: a store whose directory is lost is lost.
func (d dirFS) MakeDir() error {
	err := os.Mkdir(string(d), dirMode)
	if errors.Is(err, os.ErrExist) {
		info, err := os.Stat(string(d))
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a directory: name one, or a new one", string(d))
		}
		return err
	}
	if errors.Is(err, os.ErrNotExist) {
		parent := filepath.Dir(filepath.Clean(string(d)))
		if err := dirFS(parent).MakeDir(); err != nil {
			return err
		}
		err = os.Mkdir(string(d), dirMode)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(string(d))))
}

func (d dirFS) SyncDir() error { return syncDir(string(d)) }

func (d dirFS) Lock(name string, shared bool) (io.Closer, error) {
	flags := os.O_RDWR | os.O_CREATE
	if shared {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(d.path(name), flags, fileMode)
	if shared && errors.Is(err, os.ErrNotExist) {
		return nothing{}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, shared); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

type nothing struct{}

func (nothing) Close() error { return nil }

type osFile struct{ *os.File }

func openFile(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, flags, fileMode) //nolint:gosec // the operator names the directory
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return syncData(f.File) }
