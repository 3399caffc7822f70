// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A fileName is the name of a file, without directories.
type fileName string

func (n *fileName) String() string { return string(*n) }
func (n *fileName) Type() string   { return "NAME" }

func (n *fileName) Set(s string) error {
	if s == "" || s != filepath.Base(s) || strings.HasPrefix(s, ".") || s == authorityFile {
		return errors.New("give the name of a file, without a directory, that is not the authority's")
	}
	*n = fileName(s)
	return nil
}

// vacant returns an error where a file is there that may not be replaced.
func (c *certCommand) vacant() error {
	if c.force {
		return nil
	}
	for _, suffix := range []string{".key", ".crt"} {
		if _, err := os.Lstat(c.path(string(c.name)) + suffix); !errors.Is(err, fs.ErrNotExist) {
			return c.occupied(c.path(string(c.name))+suffix, err)
		}
	}
	return nil
}

// occupied is the error of a file that is there, or of which nothing can be known.
func (c *certCommand) occupied(file string, err error) error {
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cert: %w", err)
	}
	another := "--dir or --name"
	if c.name == authorityFile {
		another = "--dir"
	}
	return fmt.Errorf("cert: %s is there already: name another with %s, or replace it with --force", file, another)
}

// write writes the pair, the key first, and tells of it.
func (c *certCommand) write(stdout io.Writer, p *issued) error {
	if err := c.vacant(); err != nil {
		return err
	}
	if err := os.MkdirAll(string(c.dir), 0o700); err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	base := c.path(string(c.name))
	if err := c.writeFile(base+".key", p.keyPEM, 0o600); err != nil {
		return err
	}
	if err := c.writeFile(base+".crt", p.certPEM, 0o644); err != nil {
		if !c.force {
			os.Remove(base + ".key") // it is ours, and good for nothing alone
		}
		return err
	}
	fmt.Fprintf(stdout, "%s.crt, %s.key: %s, until %s\n", base, base, printable(p.what()), p.cert.NotAfter.Format(time.DateOnly))
	return nil
}

// writeFile writes a new file, or renames one over it where that is allowed: who
// reads it at that moment sees the old one or the new one.
func (c *certCommand) writeFile(file string, data []byte, mode fs.FileMode) error {
	if !c.force {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the user names it
		if err != nil {
			return c.occupied(file, err)
		}
		return finishFile(f, data, mode)
	}
	f, err := os.CreateTemp(string(c.dir), ".rollcall-cert-")
	if err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	err = finishFile(f, data, mode)
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cert: %w", err)
	}
	return nil
}

// finishFile gives a new file its mode, whatever the umask, and its content.
func finishFile(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cert: %w", err)
	}
	return nil
}

// readAuthority reads the pair of an authority; path has no .crt and .key.
func readAuthority(path string) (*issued, error) {
	pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
	if err != nil {
		return nil, err
	}
	if !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s.crt is the certificate of no authority", path)
	}
	return &issued{cert: pair.Leaf, key: pair.PrivateKey}, nil
}
