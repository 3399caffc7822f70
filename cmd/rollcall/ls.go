// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A listCommand is one run of "rollcall ls".
type listCommand struct {
	target  discovery.Target
	output  format
	watch   bool
	timeout span // until the first list
	access  access
	stdout  io.Writer
	stderr  io.Writer
}

func newLs() *cobra.Command {
	ls := &listCommand{output: formatTable, timeout: span{d: 5 * time.Second, least: time.Millisecond}}
	cmd := &cobra.Command{
		Use:   "ls [TARGET]",
		Short: "List the instances of a service",
		Long: `List the instances of a service, with --watch also every change as it comes,
until interrupted.

TARGET is by default ` + defaultTarget + `, or what the environment variable
` + environmentTarget + ` names. AGE compares the registry's clock with this machine's.`,
		Example: `  rollcall ls
  rollcall ls zk://zk1:2181,zk2:2181/rpc --watch
  rollcall ls -o json | jq -r '.instances[].address'`,
		Args: argCount(0, "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := parseTarget(args)
			if err != nil {
				return err
			}
			ls.target, ls.stdout, ls.stderr = target, cmd.OutOrStdout(), cmd.ErrOrStderr()
			return ls.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&ls.watch, "watch", "w", false, "print the list, then every change")
	cmd.Flags().Var(&ls.timeout, "timeout", "how long to wait for the list")
	addOutput(cmd, &ls.output)
	ls.access.addRegistryAccess(cmd)
	return cmd
}

func (ls *listCommand) run(ctx context.Context) error {
	opts, err := ls.access.registry(ls.target, ls.stderr)
	if err != nil {
		return err
	}
	resolver, closeResolver, err := openResolver(ls.target, opts)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer closeResolver()
	if ls.watch {
		w := watcher{listCommand: ls}
		return w.run(ctx, resolver)
	}
	update, err := ls.first(ctx, resolver)
	if err != nil {
		return err
	}
	return ls.print(update)
}

// live reports whether an update shows what is there now.
func live(u *discovery.Update) bool {
	return u.Source == discovery.SourceLive || u.Source == discovery.SourceStatic
}

// first waits for the first list. Whom the registry refuses is told so at once.
func (ls *listCommand) first(ctx context.Context, resolver discovery.Resolver) (*discovery.Update, error) {
	waiting, stop := context.WithTimeout(ctx, ls.timeout.d)
	defer stop()
	var found *discovery.Update
	var cause error
	err := resolver.Watch(waiting, func(u discovery.Update) {
		switch {
		case found != nil:
		case live(&u):
			found = &u
			stop()
		default:
			cause = u.Err
			if errors.Is(cause, zk.ErrNoAuth) || errors.Is(cause, zk.ErrAuthFailed) {
				stop()
			}
		}
	})
	switch {
	case found != nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%v: interrupted", ls.target)
	case errors.Is(cause, zk.ErrNoAuth):
		return nil, fmt.Errorf("%v: the ACL of %s does not permit to read the list: give --auth-file FILE with the credentials of somebody whom it does", ls.target, ls.target.Path)
	case errors.Is(cause, zk.ErrAuthFailed):
		return nil, fmt.Errorf("%v: the registry refuses the credentials: check the scheme that --auth, --auth-file or ROLLCALL_AUTH names", ls.target)
	case waiting.Err() == nil:
		return nil, fmt.Errorf("%v: %w", ls.target, err)
	case cause == nil:
		return nil, fmt.Errorf("%v: the registry did not answer within %v", ls.target, ls.timeout.d)
	}
	return nil, fmt.Errorf("%v: the registry did not answer within %v: %w", ls.target, ls.timeout.d, cause)
}

// A listJSON is the document of "rollcall ls -o json".
type listJSON struct {
	Target    string         `json:"target"`
	Source    string         `json:"source"`
	Instances []instanceJSON `json:"instances"`
	Skipped   []skippedJSON  `json:"skipped"`
}

func (ls *listCommand) document(u *discovery.Update) listJSON {
	doc := listJSON{
		Target: ls.target.String(), Source: u.Source.String(),
		Instances: make([]instanceJSON, len(u.Instances)), Skipped: skippedToJSON(u.Skipped),
	}
	for i := range u.Instances {
		doc.Instances[i] = toJSON(&u.Instances[i])
	}
	return doc
}

func (ls *listCommand) print(u *discovery.Update) error {
	if ls.output == formatJSON {
		out := json.NewEncoder(ls.stdout)
		out.SetIndent("", "  ")
		return out.Encode(ls.document(u))
	}
	return ls.printTable(u)
}

func (ls *listCommand) printTable(u *discovery.Update) error {
	now := time.Now()
	table := tabwriter.NewWriter(ls.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, columns)
	for i := range u.Instances {
		fmt.Fprintln(table, cells(&u.Instances[i], now))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range u.Skipped {
		fmt.Fprintf(ls.stdout, "skipped %s: %s\n", orDash(s.Name), orDash(s.Err.Error()))
	}
	if len(u.Instances) == 0 {
		fmt.Fprintf(ls.stderr, "no instance is registered in %v\n", ls.target)
	}
	return nil
}
