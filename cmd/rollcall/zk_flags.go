// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk"
)

// identities is what repeated --auth flags make.
type identities struct{ list []zk.Auth }

func (v *identities) String() string { return "" }
func (v *identities) Type() string   { return "SCHEME:DATA" }

func (v *identities) Set(s string) error {
	scheme, data, ok := strings.Cut(s, ":")
	if !ok || scheme == "" {
		return errors.New("give SCHEME:DATA, such as digest:USER:PASSWORD")
	}
	if user, _, ok := strings.Cut(data, ":"); scheme == "digest" && (!ok || user == "") {
		return errors.New("give digest:USER:PASSWORD")
	}
	v.list = append(v.list, zk.Auth{Scheme: scheme, Data: []byte(data)})
	return nil
}

// shown returns nothing: what is not understood may be a password altogether.
func (v *identities) shown(string) string { return "" }

// A dataVersion is the version that a node's data must have.
type dataVersion int32

const anyVersion = dataVersion(zk.AnyVersion)

func (v *dataVersion) Type() string { return "VERSION" }

// String returns nothing for the default.
func (v *dataVersion) String() string {
	if *v == anyVersion {
		return ""
	}
	return strconv.Itoa(int(*v))
}

func (v *dataVersion) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return errors.New("give the whole number that stat shows as version, from 0")
	}
	*v = dataVersion(n)
	return nil
}
