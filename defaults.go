// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"maps"
	"strings"
)

// callDefaults are the options of calls that a client has, for all and by method.
type callDefaults struct {
	any      bool // there are some
	all      CallOptions
	methods  map[string]CallOptions // by "Service/Method"
	services map[string]CallOptions // by "Service"
}

func newCallDefaults(o *ClientOptions) callDefaults {
	d := callDefaults{all: o.Defaults, methods: make(map[string]CallOptions), services: make(map[string]CallOptions)}
	d.all.Metadata = maps.Clone(d.all.Metadata) // the user's may change
	for name, opts := range o.Methods {
		opts.Metadata = maps.Clone(opts.Metadata)
		if service, ok := strings.CutSuffix(name, "/*"); ok {
			d.services[service] = opts
		} else {
			d.methods[name] = opts
		}
	}
	var own CallOptions
	own.inherit(&o.Defaults)
	d.any = len(o.Methods) > 0 || own.Timeout != 0 || own.AttemptTimeout != 0 || own.MaxAttempts != 0 ||
		own.Idempotent || own.WaitForReady || own.Hedge || own.Metadata != nil
	return d
}

// ofMethod adds what is said of one method, and then of its service.
func (d *callDefaults) ofMethod(opts *CallOptions, method string) {
	if of, ok := d.methods[method]; ok {
		opts.inherit(&of)
	}
	if i := strings.LastIndexByte(method, '/'); i > 0 {
		if of, ok := d.services[method[:i]]; ok {
			opts.inherit(&of)
		}
	}
}

// inherit takes from others what o does not say itself.
func (o *CallOptions) inherit(from *CallOptions) {
	if o.Timeout == 0 {
		o.Timeout = from.Timeout
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = from.AttemptTimeout
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = from.MaxAttempts
	}
	o.Idempotent = o.Idempotent || from.Idempotent
	o.WaitForReady = o.WaitForReady || from.WaitForReady
	o.Hedge = o.Hedge || from.Hedge
	switch {
	case len(from.Metadata) == 0:
	case len(o.Metadata) == 0:
		o.Metadata = from.Metadata
	default:
		both := maps.Clone(from.Metadata)
		maps.Copy(both, o.Metadata)
		o.Metadata = both
	}
}
