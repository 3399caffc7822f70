// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"io"
	"slices"
	"syscall"
)

// An inode is the contents of a file.
type inode struct {
	data    []byte   // as the system shows them
	durable []byte   // as they are bound to be
	pending []change // since they were synced
}

// A change is a write, or a truncation if data is nil.
type change struct {
	off  int64
	data []byte
}

func (c *change) apply(b []byte) []byte {
	if c.data == nil {
		return resize(b, c.off)
	}
	return overwrite(b, c.off, c.data)
}

func resize(b []byte, size int64) []byte {
	if int64(len(b)) >= size {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwrite(b []byte, off int64, data []byte) []byte {
	b = resize(b, max(int64(len(b)), off+int64(len(data))))
	copy(b[off:], data)
	return b
}

func (f *inode) do(c change) {
	f.pending = append(f.pending, c)
	f.data = c.apply(f.data)
}

type file struct {
	fs   *FS
	node *inode
	name string
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.crashed {
		return 0, ErrCrashed
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	part, err := f.fs.change(OpWrite)
	n := len(b)
	switch {
	case err != nil && !part:
		return 0, err
	case err != nil:
		f.fs.fault.zeros = !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
		n /= 2
	case f.fs.full > 0:
		end := f.fs.full - f.fs.used() + int64(len(f.node.data))
		if fits := max(0, end-off); fits < int64(n) {
			n, err = int(fits), syscall.ENOSPC
		}
	}
	if n > 0 {
		f.node.do(change{off, slices.Clone(b[:n])})
	}
	return n, err
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	part, err := f.fs.change(OpTruncate)
	if err == nil || part && f.fs.crashed {
		f.node.do(change{off: size})
	}
	return err
}

// Sync that fails drops what it should have made durable: it is still shown, but
// no later sync will care for it.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	part, err := f.fs.change(OpSync)
	if err != nil {
		if part && !f.fs.crashed {
			f.node.pending = nil
		}
		return err
	}
	for i := range f.node.pending {
		f.node.durable = f.node.pending[i].apply(f.node.durable)
	}
	f.node.pending = nil
	return nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.crashed {
		return 0, ErrCrashed
	}
	return int64(len(f.node.data)), nil
}

func (f *file) Close() error { return nil }
