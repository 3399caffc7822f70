// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A DataReport is what [CheckData] found.
type DataReport struct {
	store.Report
	Znodes     int // the built-in ones included
	Ephemerals int
	Sessions   int
}

// CheckData reads and checks everything in a data directory and changes nothing.
// No server may have it open. The error is a [*DataError] and says why a server
// would not start; what it would go on with is in the report's Damage.
func CheckData(dir string) (*DataReport, error) {
	report, rec, err := store.Check(store.Dir(dir))
	if err != nil {
		return nil, &DataError{dir, err}
	}
	c, err := loadStore(rec)
	if err != nil {
		return nil, &DataError{dir, err}
	}
	t := c.tree
	return &DataReport{*report, t.Len(), t.NumEphemerals(), t.NumSessions()}, nil
}

// BackupData copies a data directory, which a server may have open, to a new
// directory outside of it, and checks the copy. It holds everything that was acknowledged
// before BackupData was called.
func BackupData(dir, out string) (*DataReport, error) {
	if _, err := os.Lstat(out); err == nil {
		return nil, fmt.Errorf("zkserver: back up to %s: it exists: name a new directory", out)
	}
	out = filepath.Clean(out)
	parent := filepath.Dir(out)
	switch inside, err := isWithin(parent, dir); {
	case err != nil:
		return nil, fmt.Errorf("zkserver: back up to %s: %w", out, err)
	case inside:
		return nil, fmt.Errorf("zkserver: back up to %s: it is inside the data directory %s, and would be lost with it: name a directory somewhere else", out, dir)
	}
	// Under another name until it is whole.
	partial, err := os.MkdirTemp(parent, filepath.Base(out)+".partial-")
	if err != nil {
		return nil, fmt.Errorf("zkserver: back up to %s: %w", out, err)
	}
	report, err := backupTo(dir, partial)
	if err == nil {
		err = os.Rename(partial, out)
	}
	if err == nil {
		err = store.Dir(parent).SyncDir()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(partial))
	}
	return report, nil
}

// isWithin reports whether a directory is another one or below it, by whatever names
// and links they are called.
func isWithin(dir, top string) (bool, error) {
	wanted, err := os.Stat(top)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // that there is no data is told later
	}
	if err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	for err == nil {
		var info os.FileInfo
		if info, err = os.Stat(dir); err == nil && os.SameFile(info, wanted) {
			return true, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return false, err
}

func backupTo(dir, partial string) (*DataReport, error) {
	if _, err := store.Backup(store.Dir(dir), store.Dir(partial)); err != nil {
		return nil, &DataError{dir, err}
	}
	return CheckData(partial)
}
