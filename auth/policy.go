// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall"
)

// A Policy says which identity may call which method. It never changes.
type Policy struct {
	methods  map[string]*rule // by the method's name
	services map[string]*rule // by what is before its last slash
	rest     *rule            // of all other methods; nil: denied
}

// A rule says who may.
type rule struct {
	anybody  bool // who is identified
	exact    map[string]bool
	prefixes []string
}

// NewPolicy returns the policy of a table: method patterns, and the identities that
// may call what they match.
//
// A pattern is a method's name ("Divide/Divide"), all methods of a service
// ("Divide/*"), or all methods ("*"). Only the most specific pattern that matches a
// method counts, in this order: what a service's entry allows, an entry of one of
// its methods can take away. A method without a pattern is denied to all. An
// identity is written out ("billing"), with a "*" for all that begin alike
// ("spiffe://example.org/shop/*"), or it is "*", for everybody who is identified. No
// identities at all is an entry too: nobody.
//
// The standard methods, for health and the list of methods, are the service
// "rollcall", and need an entry as others do. The recommended one lets everybody
// who is identified ask:
//
//	"rollcall/*": {"*"}
//
// Errors name the entry and the fix, all of them, joined.
func NewPolicy(entries map[string][]string) (*Policy, error) {
	p, err := newPolicy(entries)
	if err != nil {
		return nil, fmt.Errorf("auth: policy: %w", err)
	}
	return p, nil
}

func newPolicy(entries map[string][]string) (*Policy, error) {
	p := &Policy{methods: make(map[string]*rule), services: make(map[string]*rule)}
	var problems []error
	for _, pattern := range slices.Sorted(maps.Keys(entries)) {
		r, err := newRule(entries[pattern])
		if err == nil {
			err = p.add(pattern, r)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("entry %q: %w", pattern, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Policy) add(pattern string, r *rule) error {
	service, ofService := strings.CutSuffix(pattern, "/*")
	switch {
	case pattern == "*":
		p.rest = r
	case pattern == "" || service == "" || !utf8.ValidString(pattern) || strings.Contains(service, "*"):
		return errors.New(`write a method ("Service/Method"), the methods of a service ("Service/*"), or all ("*")`)
	case ofService:
		p.services[service] = r
	default:
		p.methods[pattern] = r
	}
	return nil
}

func newRule(identities []string) (*rule, error) {
	r := &rule{exact: make(map[string]bool)}
	for i, identity := range identities {
		prefix, open := strings.CutSuffix(identity, "*")
		switch {
		case identity == "" || !utf8.ValidString(identity) || strings.Contains(prefix, "*") || strings.TrimSpace(identity) != identity:
			return nil, fmt.Errorf(`identity %d, %q: write it out, or its beginning and "*", or "*" for everybody who is identified`, i+1, identity)
		case identity == "*":
			r.anybody = true
		case open:
			r.prefixes = append(r.prefixes, prefix)
		default:
			r.exact[identity] = true
		}
	}
	return r, nil
}

// Allows tells whether the identity may call the method. An empty identity may
// nothing.
func (p *Policy) Allows(identity, method string) bool {
	r := p.ruleOf(method)
	return identity != "" && r != nil && (r.anybody || r.exact[identity] ||
		slices.ContainsFunc(r.prefixes, func(prefix string) bool { return strings.HasPrefix(identity, prefix) }))
}

// ruleOf returns the rule that counts for a method; nil: there is none.
func (p *Policy) ruleOf(method string) *rule {
	if r := p.methods[method]; r != nil {
		return r
	}
	if i := strings.LastIndexByte(method, '/'); i > 0 {
		if r := p.services[method[:i]]; r != nil {
			return r
		}
	}
	return p.rest
}

// Admission returns an admission that lets in what the policy allows. It stands
// after those that identify: a call whose Peer.Identity is empty is refused with
// CodeUnauthenticated, ReasonUnidentified; what the policy does not allow with
// CodePermissionDenied, ReasonNotAllowed.
func (p *Policy) Admission() rollcall.Admission {
	return func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		return ctx, p.admit(call)
	}
}

func (p *Policy) admit(call *rollcall.CallInfo) error {
	switch {
	case call.Peer.Identity == "":
		return unauthenticated(ReasonUnidentified, "nothing says who calls %q: put an admission that identifies before the policy", call.Method)
	case !p.Allows(call.Peer.Identity, call.Method):
		return rollcall.Errorf(rollcall.CodePermissionDenied, ReasonNotAllowed, "%.200q may not call %q: add it to the policy's entry for that method", call.Peer.Identity, call.Method)
	}
	return nil
}
