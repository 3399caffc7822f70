// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// The values of flags. The error of a Set is the fix alone: flagError puts the
// flag and the value before it.

// A format is how data is printed.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "FORMAT" }

func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatJSON:
		*f = format(s)
		return nil
	}
	return errors.New("give table or json")
}

// A span is a duration with a least value.
type span struct {
	d     time.Duration
	least time.Duration
}

func (v *span) Type() string { return "DURATION" }

// String returns nothing for a default that is worked out later.
func (v *span) String() string {
	if v.d < v.least {
		return ""
	}
	return v.d.String()
}

func (v *span) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err == nil && d >= v.least {
		v.d = d
		return nil
	}
	if v.least > 500*time.Millisecond {
		return fmt.Errorf("give a duration of at least %v, such as %v or 720h", v.least, 5*v.least)
	}
	if v.least > 0 {
		return fmt.Errorf("give a duration of at least %v, such as 500ms or 5s", v.least)
	}
	return errors.New("give a duration such as 500ms or 5s, not a negative one")
}

// A count is a whole number from 1.
type count int

func (n *count) String() string { return strconv.Itoa(int(*n)) }
func (n *count) Type() string   { return "COUNT" }

func (n *count) Set(s string) error {
	i, err := strconv.Atoi(s)
	if err != nil || i < 1 {
		return errors.New("give a whole number from 1")
	}
	*n = count(i)
	return nil
}

// A size is a number of bytes with a least value; 0 is a default that is worked out
// elsewhere.
type size struct{ n, least int64 }

func (v *size) Type() string { return "SIZE" }

func (v *size) String() string {
	if v.n == 0 {
		return ""
	}
	return strconv.FormatInt(v.n, 10)
}

// sizeUnits are the units of a size.
var sizeUnits = map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

func (v *size) Set(s string) error {
	digits := strings.TrimRight(s, "KMGiB")
	unit := sizeUnits[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || unit == 0 || n > math.MaxInt64/unit || n*unit < v.least {
		return fmt.Errorf("give a number of bytes, KiB, MiB or GiB, at least %dKiB, such as 64MiB", v.least>>10)
	}
	v.n = n * unit
	return nil
}

// A policy is a balancer's.
type policy struct{ balancer.Policy }

func (p *policy) Type() string { return "POLICY" }

func (p *policy) String() string {
	if p.Policy == nil {
		return ""
	}
	return p.Name()
}

func (p *policy) Set(s string) error {
	chosen, err := balancer.ParsePolicy(s)
	if err != nil {
		return fmt.Errorf("give one of %s", strings.Join(balancer.PolicyNames(), ", "))
	}
	p.Policy = chosen
	return nil
}

// metadata is what repeated KEY=VALUE flags make.
type metadata struct{ m rollcall.Metadata }

func (v *metadata) String() string { return "" }
func (v *metadata) Type() string   { return "KEY=VALUE" }

// shown returns the key: the value may be a token.
func (v *metadata) shown(text string) string {
	key, _, _ := strings.Cut(text, "=")
	return fmt.Sprintf(" %q", key+"=…")
}

func (v *metadata) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" || len(key) > 255 {
		return errors.New("give KEY=VALUE with a key of 1 to 255 bytes")
	}
	if _, twice := v.m[key]; twice {
		return fmt.Errorf("key %q is given twice, give it once", key)
	}
	if v.m == nil {
		v.m = rollcall.Metadata{}
	}
	v.m[key] = value
	return nil
}

// An instanceName is the HOST:PORT or the entry of an instance.
type instanceName string

func (n *instanceName) String() string { return string(*n) }
func (n *instanceName) Type() string   { return "INSTANCE" }

func (n *instanceName) Set(s string) error {
	if s == "" {
		return errors.New("give its HOST:PORT or its entry")
	}
	*n = instanceName(s)
	return nil
}

// A registryTarget is the target whose list servers join.
type registryTarget struct {
	text   string // "": none
	target discovery.Target
}

func (r *registryTarget) String() string { return r.text }
func (r *registryTarget) Type() string   { return "TARGET" }

func (r *registryTarget) Set(s string) error {
	target, err := discovery.ParseTarget(s)
	if err == nil && target.Scheme != discovery.SchemeZooKeeper {
		err = errors.New("a server registers with zk://HOST:PORT/PATH, give that")
	}
	if err != nil {
		return err
	}
	r.text, r.target = s, target
	return nil
}

// A directory is the path of one, which need not exist.
type directory string

func (d *directory) String() string { return string(*d) }
func (d *directory) Type() string   { return "DIR" }

func (d *directory) Set(s string) error {
	if s == "" {
		return errors.New("give the path of a directory")
	}
	*d = directory(s)
	return nil
}

// A configFile is the path of one.
type configFile string

func (f *configFile) String() string { return string(*f) }
func (f *configFile) Type() string   { return "FILE" }

func (f *configFile) Set(s string) error {
	if s == "" {
		return errors.New("give the path of a zoo.cfg")
	}
	*f = configFile(s)
	return nil
}

// An address is HOST:PORT to listen on; an empty host is every address of the
// machine, port 0 a free one.
type address string

func (a *address) String() string { return string(*a) }
func (a *address) Type() string   { return "HOST:PORT" }

func (a *address) Set(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("give HOST:PORT with a port from 0 to 65535, 0 for a free one")
	}
	*a = address(s)
	return nil
}
