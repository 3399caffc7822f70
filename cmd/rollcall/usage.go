// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line that cannot be understood: exit status 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// flagError words what pflag complains about: the flag, the value and the fix.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		flag, fix := invalid.GetFlag(), invalid.Unwrap().Error()
		if flag.Value.Type() == "bool" {
			fix = "give true or false, or nothing"
		}
		if hidden, ok := flag.Value.(secretive); ok {
			return usagef("--%s%s: %s", flag.Name, hidden.shown(invalid.GetValue()), fix)
		}
		return usagef("--%s %q: %s", flag.Name, invalid.GetValue(), fix)
	case errors.As(err, &missing):
		return usagef("--%s has no value: give one, --%s %s", missing.GetFlag().Name, missing.GetFlag().Name, flagKind(missing.GetFlag()))
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		switch {
		case unknown.GetSpecifiedShortnames() == "":
			name = "--" + name
		case strings.Trim(name, "0123456789.") == "":
			return usagef("unknown flag -%s: an argument that begins with - goes behind --", name)
		default:
			name = "-" + name
		}
		return usagef("unknown flag %s: the help lists the flags", name)
	}
	return usagef("%v", err)
}

// A secretive value may hold a secret: errors show no more of it than shown returns.
type secretive interface{ shown(text string) string }

func flagKind(f *pflag.Flag) string {
	kind, _ := pflag.UnquoteUsage(f)
	return kind
}

// argCount demands between least and most arguments, called by their names.
func argCount(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s is missing: give %s", names[len(args)], strings.Join(names[:least], " "))
		case len(args) > len(names) && len(names) == 0:
			return usagef("argument %q: this command takes none", args[0])
		case len(args) > len(names):
			return usagef("argument %q is one too many: give %s", args[len(names)], strings.Join(names, " "))
		}
		return nil
	}
}
