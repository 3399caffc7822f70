// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A methodsCommand is one run of "rollcall methods".
type methodsCommand struct {
	output   format
	timeout  span
	instance instanceName
	access   access
}

func newMethods() *cobra.Command {
	m := &methodsCommand{output: formatTable, timeout: span{d: 5 * time.Second, least: time.Millisecond}}
	cmd := &cobra.Command{
		Use:   "methods TARGET",
		Short: "List the methods of a service, with what they take and give",
		Long: `List the methods that an instance of a service answers: whether running one twice
does no harm, its codecs, and what request and reply look like in JSON. A field with
? may be left out. rollcall call --skeleton prints a request to begin with.`,
		Example: `  rollcall methods zk://127.0.0.1:2181/rpc
  rollcall methods static://127.0.0.1:8001 -o json | jq -r '.methods[].name'`,
		Args: argCount(1, "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := parseTarget(args)
			if err != nil {
				return err
			}
			return m.run(cmd.Context(), target, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().Var(&m.timeout, "timeout", "how long to wait for the list and the answer")
	cmd.Flags().Var(&m.instance, "instance", "ask only this one: its `HOST:PORT` or its entry")
	addOutput(cmd, &m.output)
	m.access.addAccess(cmd)
	return cmd
}

// A methodsJSON is the document of "rollcall methods -o json".
type methodsJSON struct {
	Instance string                `json:"instance"`
	Entry    string                `json:"entry"`
	Methods  []rollcall.MethodInfo `json:"methods"`
}

func (m *methodsCommand) run(ctx context.Context, target discovery.Target, stdout, stderr io.Writer) error {
	opts, err := m.access.client(target, stderr)
	if err != nil {
		return err
	}
	client, err := rollcall.NewClient(target.String(), opts)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer client.Close() // nothing depends on it
	methods, who, err := askMethods(ctx, client, string(m.instance), m.timeout.d)
	if err != nil {
		return err
	}
	if m.output == formatJSON {
		return encode(stdout, methodsJSON{Instance: who.Addr(), Entry: who.Name, Methods: methods})
	}
	return printMethods(stdout, methods)
}

// errNoMethods is what an instance comes to that does not tell its methods.
var errNoMethods = errors.New("does not tell its methods: its version of Rollcall is older than that")

// askMethods asks an instance for its methods; "": any. It is one call.
func askMethods(ctx context.Context, client *rollcall.Client, instance string, timeout time.Duration) ([]rollcall.MethodInfo, discovery.Instance, error) {
	var report rollcall.Report
	reply, err := rollcall.MethodsMethod.CallWith(ctx, client, &rollcall.MethodsRequest{}, rollcall.CallOptions{Instance: instance, Timeout: timeout, Report: &report})
	switch {
	case isUnknownMethod(err) && report.Answered.Host != "":
		return nil, report.Answered, fmt.Errorf("%s %w", report.Answered.Addr(), errNoMethods)
	case isUnknownMethod(err):
		return nil, report.Answered, fmt.Errorf("the instance %w", errNoMethods)
	case err != nil:
		return nil, report.Answered, err
	}
	return reply.Methods, report.Answered, nil
}

// isUnknownMethod reports whether a call met servers without the method.
func isUnknownMethod(err error) bool {
	return errors.Is(err, &rollcall.Error{Code: rollcall.CodeUnimplemented, Reason: rollcall.ReasonUnknownMethod})
}

// printMethods prints methods for people, those of every server last.
func printMethods(w io.Writer, methods []rollcall.MethodInfo) error {
	var standard []string
	for i := range methods {
		m := &methods[i]
		if m.Standard {
			standard = append(standard, orDash(m.Name))
			continue
		}
		var facts []string
		if m.Idempotent {
			facts = append(facts, "idempotent")
		}
		for _, c := range m.Codecs {
			facts = append(facts, orDash(c.Name))
		}
		if m.AnyCodec {
			facts = append(facts, "any codec")
		}
		if _, err := fmt.Fprintf(w, "%s (%s)\n  request  %s\n  reply    %s\n", orDash(m.Name), strings.Join(facts, ", "),
			describe(&m.Request, "  "), describe(&m.Reply, "  ")); err != nil {
			return err
		}
	}
	if len(standard) == len(methods) {
		fmt.Fprintln(w, "no method of a service")
	}
	_, err := fmt.Fprintf(w, "and, as every server: %s\n", strings.Join(standard, ", "))
	return err
}

// methodNames are those of the methods.
func methodNames(methods []rollcall.MethodInfo) []string {
	var names []string
	for i := range methods {
		names = append(names, methods[i].Name)
	}
	return names
}

// findMethod returns the method of that name; nil: there is none.
func findMethod(methods []rollcall.MethodInfo, name string) *rollcall.MethodInfo {
	i := slices.IndexFunc(methods, func(m rollcall.MethodInfo) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &methods[i]
}

// suggest returns what to do about a method that is not there.
func suggest(name string, methods []rollcall.MethodInfo) string {
	if like := similar(name, methodNames(methods)); len(like) > 0 {
		for i := range like {
			like[i] = orDash(like[i])
		}
		return "did you mean " + orList(like) + "?"
	}
	return "rollcall methods lists those that there are"
}
