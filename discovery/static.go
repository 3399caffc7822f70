// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"net"
	"strconv"
	"time"
)

// Static is a Resolver of a fixed list. Its instances have no ID, and their
// Protocols are not told.
type Static struct{ instances []Instance }

// NewStatic returns the Resolver of the hosts of a static target, "host:port"
// each. A host that cannot be parsed is a *TargetError.
func NewStatic(hosts []string) (*Static, error) {
	s := new(Static)
	for _, addr := range hosts {
		if field, fix := checkHost(addr); field != "" {
			return nil, &TargetError{Target: SchemeStatic + "://" + addr, Field: field, Value: addr, Fix: fix}
		}
		host, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		s.instances = append(s.instances, Instance{Name: addr, Host: host, Port: n, Weight: DefaultWeight})
	}
	return s, nil
}

// Watch implements [Resolver]: it delivers the list once and waits for ctx.
func (s *Static) Watch(ctx context.Context, deliver func(Update)) error {
	deliver(Update{Instances: s.instances, Source: SourceStatic, Confirmed: time.Now()})
	<-ctx.Done()
	return ctx.Err()
}
