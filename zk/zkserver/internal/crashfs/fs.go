// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// ErrCrashed is what everything returns from the crash on.
var ErrCrashed = errors.New("crashfs: crashed")

// The kinds of changes that are counted and can fail.
const (
	OpCreate   = "create"
	OpRename   = "rename"
	OpRemove   = "remove"
	OpSyncDir  = "syncdir"
	OpWrite    = "write"
	OpTruncate = "truncate"
	OpSync     = "sync"
)

// Kinds returns the kinds of changes.
func Kinds() []string {
	return []string{OpCreate, OpRename, OpRemove, OpSyncDir, OpWrite, OpTruncate, OpSync}
}

// An FS is the directory. [New] makes one.
type FS struct {
	name string

	mu      sync.Mutex // guards what follows, the files' contents too
	files   map[string]*inode
	durable map[string]*inode // names that are bound to be there
	pending []naming          // since the directory was synced
	locks   map[string]int    // -1: exclusive, else how many share it
	counts  map[string]int    // changes by kind
	total   int
	full    int64 // how many bytes there is space for, 0: any number
	fault   fault
	crashed bool
}

// A naming is one change of names: each gets an inode, or none.
type naming map[string]*inode

// A fault is what happens to a change to come.
type fault struct {
	in    int    // it is the in-th from now, 0: none is planned
	kind  string // ... of this kind; empty: of any
	err   error
	crash bool
	hit   bool
	zeros bool // it happened to a write of nothing but zeros
}

// New returns an empty directory.
func New(name string) *FS {
	return &FS{name: name, files: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]int{}, counts: map[string]int{}}
}

// FailAt lets the n-th change from now, of a kind or of any if kind is empty,
// fail with err. A write is done in half, a sync loses what it should have
// synced, and later changes work again.
func (fs *FS) FailAt(n int, kind string, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.fault = fault{in: n, kind: kind, err: err}
}

// CrashAt lets the n-th change from now, of a kind or of any if kind is empty, be
// cut short and everything after it fail.
func (fs *FS) CrashAt(n int, kind string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.fault = fault{in: n, kind: kind, err: ErrCrashed, crash: true}
}

// Hit reports whether the planned fault has happened.
func (fs *FS) Hit() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.fault.hit
}

// HitZeros reports whether the planned fault has happened, to a write of nothing
// but zeros.
func (fs *FS) HitZeros() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.fault.hit && fs.fault.zeros
}

// Fill leaves space for so many bytes more: a write that needs more is done as far
// as they go, and fails with [syscall.ENOSPC]. A negative number ends that.
func (fs *FS) Fill(space int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.full = 0
	if space >= 0 {
		fs.full = fs.used() + space
	}
}

func (fs *FS) used() (n int64) {
	for _, f := range fs.files {
		n += int64(len(f.data))
	}
	return n
}

// Count returns how many changes of a kind there were, of any if kind is empty.
func (fs *FS) Count(kind string) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if kind == "" {
		return fs.total
	}
	return fs.counts[kind]
}

// Read returns the contents of a file, nil if there is none.
func (fs *FS) Read(name string) []byte {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.files[name]; f != nil {
		return append([]byte{}, f.data...)
	}
	return nil
}

// Put makes a file with durable contents.
func (fs *FS) Put(name string, contents []byte) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := &inode{data: slices.Clone(contents), durable: slices.Clone(contents)}
	fs.files[name], fs.durable[name] = f, f
}

// Clone returns a copy in which everything is durable and nobody holds a lock.
func (fs *FS) Clone() *FS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	c := New(fs.name)
	for name, f := range fs.files {
		c.Put(name, f.data)
	}
	return c
}

// change counts a change. It returns an error if the change must fail; part says
// that a part of it is to be done nevertheless.
func (fs *FS) change(kind string) (part bool, err error) {
	if fs.crashed {
		return false, ErrCrashed
	}
	fs.counts[kind]++
	fs.total++
	f := &fs.fault
	if f.in == 0 || f.kind != "" && f.kind != kind {
		return false, nil
	}
	if f.in--; f.in > 0 {
		return false, nil
	}
	f.hit = true
	fs.crashed = f.crash
	return true, f.err
}

// Name implements [store.FS].
func (fs *FS) Name() string { return fs.name }

// MakeDir implements [store.FS].
func (fs *FS) MakeDir() error { return nil }

// Create implements [store.FS].
func (fs *FS) Create(name string) (store.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if part, err := fs.change(OpCreate); err != nil {
		if part {
			fs.apply(naming{name: &inode{}})
		}
		return nil, err
	}
	f := &inode{}
	fs.apply(naming{name: f})
	return &file{fs, f, name}, nil
}

func (fs *FS) apply(n naming) {
	fs.pending = append(fs.pending, n)
	assign(fs.files, n)
}

func assign(files map[string]*inode, n naming) {
	for name, f := range n {
		if f == nil {
			delete(files, name)
		} else {
			files[name] = f
		}
	}
}

// Open implements [store.FS].
func (fs *FS) Open(name string) (store.File, error) { return fs.Edit(name) }

// Edit implements [store.FS].
func (fs *FS) Edit(name string) (store.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f, err := fs.find(name)
	if err != nil {
		return nil, err
	}
	return &file{fs, f, name}, nil
}

func (fs *FS) find(name string) (*inode, error) {
	f := fs.files[name]
	switch {
	case fs.crashed:
		return nil, ErrCrashed
	case f == nil:
		return nil, fmt.Errorf("open %s/%s: %w", fs.name, name, os.ErrNotExist)
	}
	return f, nil
}

// Rename implements [store.FS].
func (fs *FS) Rename(from, to string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f, err := fs.find(from)
	if err != nil {
		return err
	}
	part, err := fs.change(OpRename)
	if err == nil || part && fs.crashed {
		fs.apply(naming{from: nil, to: f})
	}
	return err
}

// Remove implements [store.FS].
func (fs *FS) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if _, err := fs.find(name); err != nil {
		return err
	}
	part, err := fs.change(OpRemove)
	if err == nil || part && fs.crashed {
		fs.apply(naming{name: nil})
	}
	return err
}

// List implements [store.FS].
func (fs *FS) List() ([]string, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.crashed {
		return nil, ErrCrashed
	}
	return slices.Sorted(maps.Keys(fs.files)), nil
}

// SyncDir implements [store.FS].
func (fs *FS) SyncDir() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if _, err := fs.change(OpSyncDir); err != nil {
		return err
	}
	for _, n := range fs.pending {
		assign(fs.durable, n)
	}
	fs.pending = nil
	return nil
}

// Lock implements [store.FS].
func (fs *FS) Lock(name string, shared bool) (io.Closer, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	held := fs.locks[name]
	switch {
	case fs.crashed:
		return nil, ErrCrashed
	case held < 0 || held > 0 && !shared:
		return nil, store.ErrInUse
	case shared:
		fs.locks[name]++
	default:
		fs.locks[name] = -1
	}
	return &unlocker{fs: fs, name: name}, nil
}

type unlocker struct {
	fs   *FS
	name string
}

func (u *unlocker) Close() error {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	u.fs.locks[u.name] = max(0, u.fs.locks[u.name]-1)
	return nil
}
