// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/rollcall-rpc/rollcall"
)

// What "rollcall call" asks an instance about its methods: at most one further call
// in a run, for the check before, or for a hint after the method was not found.

// methods asks, once.
func (c *callCommand) methods(ctx context.Context, client *rollcall.Client) ([]rollcall.MethodInfo, error) {
	if !c.asked {
		c.asked = true
		c.known, _, c.knownErr = askMethods(ctx, client, string(c.instance), c.timeout.d)
	}
	return c.known, c.knownErr
}

// printSkeleton prints a request of the method, to be edited.
func (c *callCommand) printSkeleton(ctx context.Context, client *rollcall.Client) error {
	known, err := c.methods(ctx, client)
	if err != nil {
		return err
	}
	m := findMethod(known, c.method)
	switch {
	case m == nil:
		return fmt.Errorf("there is no method %s: %s", orDash(c.method), suggest(c.method, known))
	case m.Request.Kind == rollcall.ShapeRaw:
		return fmt.Errorf("%s takes bytes as they are: there is no skeleton of them", orDash(c.method))
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", printable(string(skeleton(&m.Request))))
	return err
}

// checkKeys warns of keys that the method does not know, where people read it or
// --check is given; who did not ask hears nothing of an instance that tells nothing.
func (c *callCommand) checkKeys(ctx context.Context, client *rollcall.Client) {
	known, err := c.methods(ctx, client)
	if err != nil {
		if c.checkGiven {
			fmt.Fprintf(c.stderr, "rollcall: the request is not checked: %s\n", printable(err.Error()))
		}
		return
	}
	if m := findMethod(known, c.method); m != nil {
		for _, warning := range unknownKeys(c.request, m) {
			fmt.Fprintf(c.stderr, "rollcall: %s\n", printable(warning))
		}
	}
}

// hint says what may have been meant, once, where the method was not found.
func (c *callCommand) hint(ctx context.Context, client *rollcall.Client, err error) {
	if c.hinted || !isUnknownMethod(err) {
		return
	}
	c.hinted = true
	if known, err := c.methods(ctx, client); err == nil {
		fmt.Fprintf(c.stderr, "rollcall: %s\n", suggest(c.method, known))
	}
}
