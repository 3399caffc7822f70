// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"context"
	"errors"
)

var errNoSpinners = errors.New("only Linux has SCHED_IDLE: leave the flag out")

func startSpinners(context.Context) (stop func(), err error) { return nil, errNoSpinners }

func runSpinners(context.Context, *spec) error { return errNoSpinners }
