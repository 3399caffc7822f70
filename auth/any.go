// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall"
)

// Any returns an admission that lets in whom one of admissions lets in, which are
// asked in order: a certificate or a token. What one that refuses has changed of the
// call is undone. A token stays in the metadata where an admission before its
// [Bearer] lets the call in.
//
// A refusal has the texts of all. Its code, reason and details are those of the first
// that is more than CodeUnauthenticated, such as CodeUnavailable of a token server;
// else it is CodeUnauthenticated, with their reason where all have the same, and
// ReasonUnidentified where they differ. Nil where there is no admission, or a nil one,
// which [rollcall.NewServer]'s Serve reports.
func Any(admissions ...rollcall.Admission) rollcall.Admission {
	if len(admissions) == 0 || slices.ContainsFunc(admissions, func(a rollcall.Admission) bool { return a == nil }) {
		return nil
	}
	admissions = slices.Clone(admissions)
	return func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		before := *call
		var room [4]error
		refusals := room[:0]
		for _, admit := range admissions {
			admitted, err := admit(ctx, call)
			if err == nil {
				return admitted, nil
			}
			*call = before
			refusals = append(refusals, err)
		}
		return nil, refusalOf(refusals)
	}
}

// refusalOf makes one refusal of all.
func refusalOf(refusals []error) error {
	joined := &rollcall.Error{Code: rollcall.CodeUnauthenticated}
	var texts []string
	for i, err := range refusals {
		e := asError(err)
		switch {
		case joined.Code != rollcall.CodeUnauthenticated: // the first counts
		case e.Code != rollcall.CodeUnauthenticated:
			joined.Code, joined.Reason, joined.Details = e.Code, e.Reason, e.Details
		case i == 0:
			joined.Reason = e.Reason
		case joined.Reason != e.Reason:
			joined.Reason = ReasonUnidentified
		}
		texts = append(texts, e.Message)
	}
	joined.Message = strings.Join(texts, "; ")
	return joined
}

// asError returns err as a *rollcall.Error.
func asError(err error) *rollcall.Error {
	if e, ok := errors.AsType[*rollcall.Error](err); ok && e != nil {
		return e
	}
	return rollcall.Errorf(rollcall.CodeOf(err), "", "%w", err)
}
