// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultEvery is how often the files are looked at unless Files says otherwise.
const DefaultEvery = time.Second

// MaxFileBytes is the largest file that is read. The bundle of authorities of an
// operating system has a twentieth of it.
const MaxFileBytes = 4 << 20

// Files says which files make up a value, and how.
type Files[T any] struct {
	// Paths are the files. What is in them is parsed together, and changes
	// together.
	Paths []string

	// Every is how long the files are left alone after a look. Zero:
	// DefaultEvery; negative: they are read once.
	Every time.Duration

	// Parse makes the value of what is in the files, in the order of Paths. It
	// keeps the contents or not, as it likes, and must not change them.
	Parse func(contents [][]byte) (T, error)

	// Changed, if not nil, is told once per change of the files: err nil, inUse
	// is what they say now; otherwise they could not be read (a *fs.PathError)
	// or parsed (Parse's error), and inUse is what they said before. It is
	// called by the goroutine whose Get found the change, one call at a time.
	Changed func(inUse T, err error)

	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Value is the value of Files. Any goroutine may use it.
type Value[T any] struct {
	files  Files[T]
	opened time.Time
	last   atomic.Pointer[T]
	next   atomic.Int64 // when the files may be looked at again, as a Duration since opened

	// mu is held while the files are looked at, and never waited for: a disk
	// that hangs holds up one caller, and the others have the last value.
	mu   sync.Mutex
	seen look // guarded by mu
}

// A look is what was found in the files.
type look struct {
	contents [][]byte
	err      error
}

// same tells whether nothing has changed between two looks.
func (l look) same(o look) bool {
	if l.err != nil || o.err != nil {
		return l.err != nil && o.err != nil && l.err.Error() == o.err.Error()
	}
	return slices.EqualFunc(l.contents, o.contents, bytes.Equal)
}

// Open reads the files and parses them. It returns a *fs.PathError for a file that
// cannot be read, is no regular file, or is larger than MaxFileBytes, and Parse's
// error as it is. Changed is not called.
func (f Files[T]) Open() (*Value[T], error) {
	if f.Every == 0 {
		f.Every = DefaultEvery
	}
	if f.Now == nil {
		f.Now = time.Now
	}
	v := &Value[T]{files: f, opened: f.Now()}
	v.seen = v.read()
	value, err := v.parse(v.seen)
	if err != nil {
		return nil, err
	}
	v.last.Store(&value)
	v.rest()
	return v, nil
}

// Get returns the value, after a look at the files if the last one is Every ago.
// While one goroutine looks, the others get the last value without waiting.
func (v *Value[T]) Get() T {
	if v.due() && v.mu.TryLock() {
		defer v.mu.Unlock()
		// Another look may have ended between the two conditions.
		if v.due() {
			v.look()
		}
	}
	return *v.last.Load()
}

func (v *Value[T]) due() bool {
	return v.files.Every > 0 && v.files.Now().Sub(v.opened) >= time.Duration(v.next.Load())
}

// rest begins the time in which the files are left alone. It counts from the end of
// a look: a slow disk is not looked at all the time.
func (v *Value[T]) rest() {
	v.next.Store(int64(v.files.Now().Sub(v.opened) + v.files.Every))
}

func (v *Value[T]) look() {
	defer v.rest()
	found := v.read()
	if found.same(v.seen) {
		return
	}
	v.seen = found
	value, err := v.parse(found)
	if err != nil {
		value = *v.last.Load()
	} else {
		v.last.Store(&value)
	}
	if v.files.Changed != nil {
		v.files.Changed(value, err)
	}
}

func (v *Value[T]) parse(l look) (T, error) {
	if l.err != nil {
		var zero T
		return zero, l.err
	}
	return v.files.Parse(l.contents)
}

func (v *Value[T]) read() look {
	var l look
	for _, path := range v.files.Paths {
		content, err := readFile(path)
		if err != nil {
			return look{err: err}
		}
		l.contents = append(l.contents, content)
	}
	return l
}

func readFile(path string) ([]byte, error) {
	// A pipe would block whoever opens it, and can be read only once.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	file, err := os.Open(path) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxFileBytes {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", MaxFileBytes)}
	}
	return content, nil
}
