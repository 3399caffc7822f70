// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk"
)

// overrideHelp is what every command that gives orders says about its arguments.
const overrideHelp = `

INSTANCE is an instance's HOST:PORT, its entry or its ID. The order lies beside the
service in its registry, wins over what the server says, holds on every client at
once, and outlives restarts of the server. rollcall ls shows it.`

// An overrideCommand is one run of a command that gives orders for instances, or
// takes them back.
type overrideCommand struct {
	output  format
	timeout span // for the list, and for the change
	access  access
	reason  reason
	force   bool

	target    discovery.Target
	instances []string // as the arguments name them
	change    func(*discovery.Override)
	absent    bool // instances that are not listed are meant too
	prune     span // orders for instances that are not listed end, if older; 0: none
	stdout    io.Writer
	stderr    io.Writer
}

// addFlags gives the command its flags; --force and --reason only where it gives
// orders.
func (c *overrideCommand) addFlags(cmd *cobra.Command, orders bool) *cobra.Command {
	c.output, c.timeout = formatTable, span{d: 5 * time.Second, least: time.Millisecond}
	cmd.Long += overrideHelp
	flags := cmd.Flags()
	flags.Var(&c.timeout, "timeout", "how long to wait for the list, and for the change")
	if orders {
		flags.Var(&c.reason, "reason", "why, for those who see the order")
		flags.BoolVar(&c.force, "force", false, "do it even if no instance is left that gets calls")
	}
	addOutput(cmd, &c.output)
	c.access.addRegistryAccess(cmd)
	return cmd
}

// parse reads the arguments.
func (c *overrideCommand) parse(cmd *cobra.Command, target string, instances []string) error {
	var err error
	if c.target, err = parseTarget([]string{target}); err != nil {
		return err
	}
	for _, name := range instances {
		if name == "" {
			return usagef("INSTANCE %q: give its HOST:PORT, its entry or its ID", name)
		}
	}
	if c.target.Scheme == discovery.SchemeStatic {
		return usagef("target %q: orders lie in a registry, and this target has none: give zk://HOST:PORT/PATH", target)
	}
	c.instances, c.stdout, c.stderr = instances, cmd.OutOrStdout(), cmd.ErrOrStderr()
	return nil
}

// argsFrom demands at least so many arguments, called by their names, of which
// the last may be repeated.
func argsFrom(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least {
			return usagef("%s is missing: give %s...", names[len(args)], strings.Join(names, " "))
		}
		return nil
	}
}

// A reason is text that fits into an order.
type reason string

func (r *reason) String() string { return string(*r) }
func (r *reason) Type() string   { return "TEXT" }

func (r *reason) Set(s string) error {
	if len(s) > layout.MaxOrderReason || !utf8.ValidString(s) {
		return fmt.Errorf("give at most %d bytes of UTF-8", layout.MaxOrderReason)
	}
	*r = reason(s)
	return nil
}

// order returns the order of whoever runs this command, now.
func (c *overrideCommand) order() discovery.Order {
	var who string
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		who += "@" + host
	}
	who = strings.ToValidUTF8(who[:min(len(who), layout.MaxOrderBy)], "")
	return discovery.Order{By: who, At: time.Now().UTC().Truncate(time.Second), Reason: string(c.reason)}
}

// run makes the change and prints its effect.
func (c *overrideCommand) run(ctx context.Context) error {
	opts, err := c.access.registry(c.target, c.stderr)
	if err != nil {
		return err
	}
	session, err := zookeeper.OpenTarget(c.target, opts)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer session.Close() // nothing depends on it
	ls := listCommand{target: c.target, timeout: c.timeout}
	list, err := ls.first(ctx, session.Resolver(c.target.Path))
	if err != nil {
		return err
	}
	var e *effect
	editing, stop := context.WithTimeout(ctx, c.timeout.d)
	defer stop()
	err = session.EditOverrides(editing, c.target.Path, func(all *layout.Overrides) (err error) {
		e, err = c.plan(list.Instances, all)
		return err
	})
	if err != nil {
		return c.explain(ctx, err)
	}
	doc := e.document(c.target.String())
	if c.output == formatJSON {
		return encode(c.stdout, doc)
	}
	return doc.printTable(c.stdout)
}

// explain words what went wrong.
func (c *overrideCommand) explain(ctx context.Context, err error) error {
	node := layout.OverridesPath(c.target.Path)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%v: interrupted; the order may have been given: see rollcall ls", c.target)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%v: the registry did not answer within %v; the order may have been given: see rollcall ls", c.target, c.timeout.d)
	case errors.Is(err, zk.ErrNoAuth):
		return fmt.Errorf("%v: the ACL of %s does not permit that: give --auth-file FILE with the credentials of somebody whom it does", c.target, node)
	}
	return fmt.Errorf("%v: %s", c.target, strings.TrimPrefix(err.Error(), "zookeeper: "))
}

// plan changes the orders, unless that would leave no instance that gets calls,
// and returns the effect. It may be called again, with orders that others have
// changed.
func (c *overrideCommand) plan(list []discovery.Instance, all *layout.Overrides) (*effect, error) {
	e := newEffect(list, all)
	meant, err := c.find(e)
	if err != nil {
		return nil, err
	}
	for _, i := range meant {
		var o discovery.Override
		if now := e.rows[i].before.Override; now != nil {
			o = *now
		}
		c.change(&o)
		e.put(i, &o, all)
	}
	for i := range e.rows {
		if c.prune.d > 0 && e.rows[i].forgotten(c.prune.d) {
			e.put(i, nil, all)
		}
	}
	if before, after := e.serving(); before > 0 && after == 0 && !c.force {
		return nil, fmt.Errorf("with that no instance of %d would get calls: give --force if that is what you want", len(list))
	}
	return e, nil
}

// find returns the rows that are meant.
func (c *overrideCommand) find(e *effect) ([]int, error) {
	var meant []int
	for _, name := range c.instances {
		var found []int
		for i := range e.rows {
			in := &e.rows[i].before
			if (e.rows[i].listed || c.absent) && (in.Name == name || in.ID == name || in.Addr() == name) {
				found = append(found, i)
			}
		}
		switch {
		case len(found) == 0 && c.absent:
			return nil, fmt.Errorf("no instance %s is listed, and there is no order for one: see rollcall ls", orDash(name))
		case len(found) == 0:
			return nil, fmt.Errorf("no instance %s is listed: see rollcall ls", orDash(name))
		case len(found) > 1:
			return nil, fmt.Errorf("%d instances are called %s: give the entry or the ID of one", len(found), orDash(name))
		}
		if !slices.Contains(meant, found[0]) {
			meant = append(meant, found[0])
		}
	}
	return meant, nil
}
