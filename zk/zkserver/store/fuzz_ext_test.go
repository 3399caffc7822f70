// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// Whatever a file of the store holds: it opens, or says why not.
func FuzzOpen(f *testing.F) {
	l, err := begin(crashfs.New("data"))
	if err == nil {
		err = l.history(12)
	}
	if err != nil {
		f.Fatal(err)
	}
	all, err := l.fs.List()
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range all {
		f.Add(uint(i), l.fs.Read(name))
	}
	f.Fuzz(func(t *testing.T, file uint, contents []byte) {
		name := all[file%uint(len(all))]
		fs := l.fs.Clone()
		fs.Put(name, contents)
		after, err := begin(fs)
		var damaged *store.DamageError
		var version *store.VersionError
		switch {
		case errors.As(err, &damaged), errors.As(err, &version):
		case err != nil:
			t.Errorf("got %v, want what is damaged", err)
		case after.next > l.next:
			t.Errorf("recovered up to %d of %d", after.next, l.next)
		default:
			if err := errors.Join(after.append(1), after.Close()); err != nil {
				t.Error(err)
			}
		}
	})
}
