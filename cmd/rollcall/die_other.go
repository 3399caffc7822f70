// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "os/exec"

// dieWithUs does nothing: only Linux can end a child together with its parent.
// Elsewhere the end of its stdin tells the child.
func dieWithUs(*exec.Cmd) {}
