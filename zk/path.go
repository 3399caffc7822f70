// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"fmt"
	"strings"

	"github.com/rollcall-rpc/rollcall/internal/zkpath"
)

// checkPath returns an error that wraps ErrBadArguments if path cannot be the
// name of a node. With sequential a number will be appended, so that it may end
// in a slash.
func checkPath(path string, sequential bool) error {
	check := zkpath.Check
	if sequential {
		check = zkpath.CheckSequential
	}
	if err := check(path); err != nil {
		return fmt.Errorf("%w: %w", ErrBadArguments, err)
	}
	return nil
}

// parent returns the path of a node's parent; the root's is the root.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
