// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"fmt"
	"reflect"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// A limit is an option that is a number, 0 for its default.
type limit struct {
	field       string // "ClientOptions.MaxMessageBytes"
	value, most int    // most 0: there is no greatest value
}

// checkLimits returns what is wrong with numbers, a problem each.
func checkLimits(list ...limit) (problems []error) {
	for _, l := range list {
		switch {
		case l.value < 0:
			problems = append(problems, fmt.Errorf("rollcall: %s %d: give 1 or more, or 0 for the default", l.field, l.value))
		case l.most > 0 && l.value > l.most:
			problems = append(problems, fmt.Errorf("rollcall: %s %d: give at most %d", l.field, l.value, l.most))
		}
	}
	return problems
}

// checkDuration returns what is wrong with an option that is a duration, 0 for
// what zero says.
func checkDuration(field string, d time.Duration, zero string) error {
	if d < 0 {
		return fmt.Errorf("rollcall: %s %v: give a positive duration, or 0 for %s", field, d, zero)
	}
	return nil
}

// checkNames reports a protocol that is spoken already: Rollcall's own, or one of
// that name before. field is the list that the names are in.
func checkNames(field string, names ...string) error {
	taken := map[string]bool{ProtocolName: true}
	for _, name := range names {
		if taken[name] {
			return fmt.Errorf("rollcall: %s: %q is spoken already: give each protocol a name of its own", field, name)
		}
		taken[name] = true
	}
	return nil
}

// check returns the first option of a call that means nothing. field is where
// they stand.
func (o *CallOptions) check(field string) error {
	if o.MaxAttempts < 0 {
		return fmt.Errorf("rollcall: %s.MaxAttempts %d: give 1 or more, or 0 for no bound but the retry budget", field, o.MaxAttempts)
	}
	return checkTimeouts(field, o.Timeout, o.AttemptTimeout)
}

// checkZooKeeper reports settings of a registry where there is none. What they
// are worth themselves is checked by zookeeper.Open.
func checkZooKeeper(owner string, o *zookeeper.Options, registry bool) error {
	if registry || reflect.ValueOf(*o).IsZero() {
		return nil
	}
	return fmt.Errorf("rollcall: %s.ZooKeeper is set, and nothing is looked up or registered in ZooKeeper: leave it out", owner)
}

// checkTimeouts checks those of a Method or of CallOptions.
func checkTimeouts(owner string, timeout, attempt time.Duration) error {
	if timeout < 0 {
		return checkDuration(owner+".Timeout", timeout, "none")
	}
	if attempt < 0 {
		return checkDuration(owner+".AttemptTimeout", attempt, "none")
	}
	return nil
}
