// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"testing"
)

// A server that has all that one needs in production stays one screen long.
func TestLength(t *testing.T) {
	const most = 70
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > most {
		t.Errorf("main.go has %d lines, more than %d", n, most)
	}
}
