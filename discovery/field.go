// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A FieldError says which field of an instance is wrong.
type FieldError struct {
	Field string // as it is written in the registry: "host", "port", "weight", …
	Value string // what is there, shortened to be printed
	Fix   string // what is expected
}

// Error names the field, the value and the fix.
func (e *FieldError) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Fix) }

// NewFieldError returns a *FieldError with the value cut to a length that can
// be printed.
func NewFieldError(field, value, fix string) *FieldError {
	const limit = 80
	if len(value) > limit {
		value = strings.ToValidUTF8(value[:limit], "") + "…"
	}
	return &FieldError{Field: field, Value: value, Fix: fix}
}

// Check reports the first field that no registry could hold: a host that is
// neither a name nor an address, a port or a weight out of range, text that is
// not UTF-8, a protocol without a name. The error is a *FieldError.
func (in *Instance) Check() error {
	if fix := checkHostName(in.Host); fix != "" {
		return NewFieldError("host", in.Host, fix)
	}
	if in.Port < 1 || in.Port > 65535 {
		return NewFieldError("port", strconv.Itoa(in.Port), PortFix)
	}
	if in.Weight < 0 || in.Weight > MaxWeight {
		return NewFieldError("weight", strconv.Itoa(in.Weight), WeightFix)
	}
	if slices.Contains(in.Protocols, "") {
		return NewFieldError("protocols", "", "a protocol has a name")
	}
	return in.checkText()
}

func (in *Instance) checkText() error {
	const fix = "write UTF-8"
	fields := []struct{ name, value string }{{"id", in.ID}, {"zone", in.Zone}, {"version", in.Version}}
	for _, f := range fields {
		if !utf8.ValidString(f.value) {
			return NewFieldError(f.name, f.value, fix)
		}
	}
	for _, protocol := range in.Protocols {
		if !utf8.ValidString(protocol) {
			return NewFieldError("protocols", protocol, fix)
		}
	}
	for key, value := range in.Metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return NewFieldError("metadata", key+"="+value, fix)
		}
	}
	return nil
}

// What is expected of a port and of a weight: the Fix of their errors.
const (
	PortFix   = "a port is a number from 1 to 65535"
	WeightFix = "a weight is a whole number from 0 to 10000"
)

// checkHostName tells what is expected of a host without its port, or "".
func checkHostName(host string) (fix string) {
	switch {
	case host == "":
		return "write a name or an address"
	case len(host) > 253:
		return "a name has at most 253 bytes"
	case !utf8.ValidString(host):
		return "write UTF-8"
	}
	for _, r := range host {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`,/@?#%\"'[]`, r) {
			return "a host is a name or an address, without brackets, port, user, zone or space"
		}
	}
	if strings.Contains(host, ":") {
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return "a host with a colon is an IPv6 address, and this is none; the port is written apart"
		}
	}
	return ""
}
