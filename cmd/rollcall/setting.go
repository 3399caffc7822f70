// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/pflag"
)

// A setting is the value of a flag, or else of an environment variable.
type setting struct {
	flag, variable string
	kind, fix      string // what it is called in the help; what an empty one is told
	given          string // with the flag
}

// A file's setting and a name's.
func pemFile(flag, variable string) setting {
	return setting{flag: flag, variable: variable, kind: "FILE", fix: "give the path of a PEM file"}
}

func textFile(flag, variable string) setting {
	return setting{flag: flag, variable: variable, kind: "FILE", fix: "give the path of a file"}
}

func serverName(flag, variable string) setting {
	return setting{flag: flag, variable: variable, kind: "NAME", fix: "give a DNS name or an IP address"}
}

func (s *setting) String() string { return s.given }
func (s *setting) Type() string   { return s.kind }

func (s *setting) Set(text string) error {
	if text == "" {
		return errors.New(s.fix)
	}
	s.given = text
	return nil
}

// add defines the flag, whose help names the variable too.
func (s *setting) add(flags *pflag.FlagSet, usage string) {
	flags.Var(s, s.flag, usage+" ($"+s.variable+")")
}

// value is what the flag says, else the variable; empty: neither does.
func (s *setting) value() string { return cmp.Or(s.given, os.Getenv(s.variable)) }

// origin is who says it, as errors name it.
func (s *setting) origin() string {
	if s.given == "" && os.Getenv(s.variable) != "" {
		return s.variable
	}
	return "--" + s.flag
}
