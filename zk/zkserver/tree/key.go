// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "encoding/binary"

// rootKey is the key of "/": a parent that does not exist and an empty name.
const rootKey = "\x00"

// appendKey appends the key of a path: parent path, 0x00, name. The children of
// a node thereby stand next to each other, and names of grandchildren do not
// come between them. It returns false for what cannot be the path of a node; a
// path with a NUL in it gives a key that no node has.
func appendKey[P string | []byte](b []byte, path P) ([]byte, bool) {
	i := len(path) - 1
	for i >= 0 && path[i] != '/' {
		i--
	}
	switch {
	case len(path) <= 1 && i == len(path)-1: // "/", and "" which stands for it
		return append(b, rootKey...), true
	case i < 0 || i > 0 && path[i-1] == '/':
		return b, false
	}
	b = appendChildPrefix(b, path[:i])
	return append(b, path[i+1:]...), true
}

// appendChildPrefix appends what the keys of the children of path begin with.
func appendChildPrefix[P string | []byte](b []byte, path P) []byte {
	if len(path) == 0 {
		b = append(b, '/')
	} else {
		b = append(b, path...)
	}
	return append(b, 0)
}

// parentOf returns the path of the parent, as ZooKeeper cuts it: what stands
// before the last slash, "/" if that is nothing. The path must hold a slash.
func parentOf(path string) string {
	i := len(path) - 1
	for path[i] != '/' {
		i--
	}
	if i == 0 {
		return "/"
	}
	return path[:i]
}

// appendSessionKey appends the key of a session: its id in 8 bytes.
func appendSessionKey(b []byte, session int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(session)) //nolint:gosec // two's complement is the encoding
}

// appendEphemeralKey appends the key of an ephemeral node: session id, path.
func appendEphemeralKey(b []byte, session int64, path string) []byte {
	return append(appendSessionKey(b, session), path...)
}
