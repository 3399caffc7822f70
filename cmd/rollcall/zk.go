// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// znodeHelp is what every command of "rollcall zk" says about its argument.
const znodeHelp = `

ZNODE is /PATH in the registry of ` + defaultTarget + `, or of what the
environment variable ` + environmentTarget + ` names; the path is always a whole one.
zk://HOST:PORT[,HOST:PORT...]/PATH names the registry too, or zks:// with TLS.`

func newZK() *cobra.Command {
	return group(&cobra.Command{
		Use:   "zk COMMAND",
		Short: "Look at and change the znode tree of any ZooKeeper",
		Long: `Look at and change the znodes, the tree of small files, of a registry or any
ZooKeeper.` + znodeHelp,
		Example: `  rollcall zk ls /
  rollcall zk get /rpc/server0000000000
  rollcall zk get zk://zk1:2181,zk2:2181/rpc/server0000000000
  rollcall zk watch /rpc`,
	}, newZKLs(), newZKGet(), newZKStat(), newZKSet(), newZKCreate(), newZKRm(), newZKWatch())
}

// A znodeCommand is what the commands of "rollcall zk" share: one run of one of
// them, on one node.
type znodeCommand struct {
	timeout span // of the connection, and of each answer
	access  access
	output  format

	target discovery.Target
	path   string // the target's
	client *zk.Client
	// authenticated: credentials were given.
	authenticated bool
	stdin         io.Reader
	stdout        io.Writer
	stderr        io.Writer
}

// addFlags gives the command its flags; -o only where it prints data.
func (z *znodeCommand) addFlags(cmd *cobra.Command, printsData bool) *cobra.Command {
	z.output, z.timeout = formatTable, span{d: 5 * time.Second, least: time.Millisecond}
	cmd.Long += znodeHelp
	cmd.Flags().Var(&z.timeout, "timeout", "how long to wait for the connection, and for each answer")
	if printsData {
		addOutput(cmd, &z.output)
	}
	z.access.addRegistryAccess(cmd)
	return cmd
}

// parse reads the argument that names the node.
func (z *znodeCommand) parse(cmd *cobra.Command, arg string) error {
	target, err := parseZnode(arg)
	if err != nil {
		return err
	}
	z.target, z.path = target, target.Path
	z.stdin, z.stdout, z.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	return nil
}

// parseZnode reads /PATH or a whole target.
func parseZnode(arg string) (discovery.Target, error) {
	const scheme = discovery.SchemeZooKeeper + "://"
	text := arg
	rest, whole := strings.CutPrefix(arg, scheme)
	if !whole {
		rest, whole = strings.CutPrefix(arg, "zks://")
	}
	switch {
	case strings.HasPrefix(arg, "/"):
		registry, err := parseTarget(nil)
		if err != nil {
			return registry, err
		}
		if registry.Scheme != discovery.SchemeZooKeeper {
			return registry, usagef("environment variable %s: %v has no znodes: name a registry, %sHOST:PORT/PATH", environmentTarget, registry, scheme)
		}
		registry.Path = ""
		text = registry.String() + arg
	case !whole:
		return discovery.Target{}, usagef("ZNODE %q: give /PATH or %sHOST:PORT[,HOST:PORT...]/PATH", arg, scheme)
	case !strings.Contains(rest, "/"):
		text += "/" // the hosts alone are their root
	}
	target, err := discovery.ParseTarget(text)
	var wrong *discovery.TargetError
	switch {
	case err == nil:
		return target, nil
	case errors.As(err, &wrong) && wrong.Field != "path":
		return target, usagef("ZNODE %q: %s %q: %s", arg, wrong.Field, wrong.Value, wrong.Fix)
	case errors.As(err, &wrong):
		return target, usagef("ZNODE %q: %s", arg, wrong.Fix)
	}
	return target, usagef("ZNODE %q: %w", arg, err)
}

// run connects, does the work and words what went wrong.
func (z *znodeCommand) run(ctx context.Context, work func(context.Context) error) error {
	opts, err := z.access.registry(z.target, z.stderr)
	if err != nil {
		return err
	}
	client, err := zk.New(z.target.Hosts, zk.Options{Auths: opts.Auths, TLS: opts.TLS})
	if err != nil {
		return &usageError{err} // of the target
	}
	defer client.Close() // nothing depends on it
	z.client, z.authenticated = client, len(opts.Auths) > 0
	if err := z.ask(ctx, client.Connected); err != nil {
		return z.unconnected(ctx, err)
	}
	return z.explain(ctx, work(ctx))
}

// ask makes one request, bounded by the timeout.
func (z *znodeCommand) ask(ctx context.Context, request func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, z.timeout.d)
	defer stop()
	return request(ctx)
}

func (z *znodeCommand) unconnected(ctx context.Context, err error) error {
	why := z.silence()
	switch {
	case ctx.Err() != nil:
		why = "interrupted"
	case errors.Is(err, zk.ErrAuthFailed):
		why = "the registry refuses the credentials: check the scheme that --auth, --auth-file or ROLLCALL_AUTH names"
	}
	return fmt.Errorf("%s: %s", orDash(z.path), why)
}

// silence describes a registry that has not answered in time.
func (z *znodeCommand) silence() string {
	if cause := z.client.Session().LastErr; cause != nil { // it names the host
		return fmt.Sprintf("the registry did not answer within %v: %s", z.timeout.d, withoutPackage(cause))
	}
	return fmt.Sprintf("the registry %s did not answer within %v", strings.Join(z.target.Hosts, ","), z.timeout.d)
}

// withoutPackage is the text of an error of package zk for people who need not
// know that package.
func withoutPackage(err error) string { return strings.TrimPrefix(err.Error(), "zk: ") }
