// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"context"
	"errors"
)

var errNotAwake = errors.New("only Linux can be kept from halting: leave the flag out")

func keepAwake(context.Context) (stop func(), err error) { return nil, errNotAwake }

func runSpinners(context.Context, *spec) error { return errNotAwake }
