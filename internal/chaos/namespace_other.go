// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package chaos

import (
	"errors"
	"os/exec"
)

// Only Linux has network namespaces.
type namespace struct{ host, guest string }

const noNamespaces = "only Linux has network namespaces"

func namespaces(*Config) string { return noNamespaces }

func newNamespace() (*namespace, error) { return nil, &notPermittedError{errors.New(noNamespaces)} }

func (*namespace) wrap(argv []string) []string { return argv }
func (*namespace) attr(*exec.Cmd)              {}
func (*namespace) enter(*process) error        { return nil }
func (*namespace) cut() error                  { return nil }
func (*namespace) mend() error                 { return nil }
func (*namespace) close()                      {}
