// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// healthAtOnce is how many instances are asked at a time.
const healthAtOnce = 32

// A healthCommand is one run of "rollcall health".
type healthCommand struct {
	output  format
	timeout span // of the list, and of each answer
	access  access
}

func newHealth() *cobra.Command {
	h := &healthCommand{output: formatTable, timeout: span{d: 5 * time.Second, least: time.Millisecond}}
	cmd := &cobra.Command{
		Use:   "health TARGET",
		Short: "Ask every instance of a service how it is",
		Long: `Ask every instance of a service how it is, drained ones too. Each is "ready", "not
ready" with what keeps it from that, "unreachable", "refuses" to tell, or "answers" where its version of
Rollcall has no more to tell. The exit status is 1 if one is not ready or cannot be
reached, or if there is none.`,
		Example: `  rollcall health zk://127.0.0.1:2181/rpc
  rollcall health static://127.0.0.1:8001,127.0.0.1:8002 -o json | jq '.instances[] | select(.ready | not)'`,
		Args: argCount(1, "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := parseTarget(args)
			if err != nil {
				return err
			}
			return h.run(cmd.Context(), target, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().Var(&h.timeout, "timeout", "how long to wait for the list, and for each answer")
	addOutput(cmd, &h.output)
	h.access.addAccess(cmd)
	return cmd
}

// A healthJSON is the document of "rollcall health -o json".
type healthJSON struct {
	Target    string               `json:"target"`
	Ready     int                  `json:"ready"` // how many, those that only answer included
	Instances []instanceHealthJSON `json:"instances"`
	Skipped   []skippedJSON        `json:"skipped"`
}

// An instanceHealthJSON is how an instance is.
type instanceHealthJSON struct {
	Entry     string                `json:"entry"`
	Address   string                `json:"address"`
	Ready     bool                  `json:"ready"`
	State     string                `json:"state"`
	Why       string                `json:"why"` // it is not ready
	ElapsedUS int64                 `json:"elapsed_us"`
	Health    *rollcall.HealthReply `json:"health"` // null: it has not told
}

func (h *healthCommand) run(ctx context.Context, target discovery.Target, stdout, stderr io.Writer) error {
	opts, err := h.access.client(target, stderr)
	if err != nil {
		return err
	}
	resolver, closeResolver, err := openResolver(target, opts.ZooKeeper)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer closeResolver()
	ls := listCommand{target: target, timeout: h.timeout}
	list, err := ls.first(ctx, resolver)
	if err != nil {
		return err
	}
	client, err := rollcall.NewClient(target.String(), opts)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer client.Close() // nothing depends on it
	h.awaitList(ctx, client)
	doc := healthJSON{Target: target.String(), Instances: make([]instanceHealthJSON, len(list.Instances)), Skipped: skippedToJSON(list.Skipped)}
	var asking errgroup.Group
	asking.SetLimit(healthAtOnce)
	for i := range list.Instances {
		asking.Go(func() error {
			doc.Instances[i] = h.ask(ctx, client, &list.Instances[i])
			return nil
		})
	}
	asking.Wait() //nolint:errcheck // what fails is told of each
	for i := range doc.Instances {
		if doc.Instances[i].Ready {
			doc.Ready++
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%v: interrupted", target)
	}
	return h.print(&doc, stdout, stderr)
}

// awaitList waits until the client knows whom to ask.
func (h *healthCommand) awaitList(ctx context.Context, client *rollcall.Client) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout.d)
	defer cancel()
	awaitList(ctx, client)
}

// ask asks one instance.
func (h *healthCommand) ask(ctx context.Context, client *rollcall.Client, in *discovery.Instance) instanceHealthJSON {
	out := instanceHealthJSON{Entry: in.Name, Address: in.Addr()}
	begun := time.Now()
	reply, err := rollcall.HealthMethod.CallWith(ctx, client, &rollcall.HealthRequest{}, rollcall.CallOptions{Instance: in.Addr(), Timeout: h.timeout.d})
	out.ElapsedUS = time.Since(begun).Microseconds()
	switch {
	case isUnknownMethod(err):
		out.Ready, out.State = true, "answers"
	case err != nil:
		e := toErrorJSON(err)
		out.State, out.Why = "unreachable", e.Code+": "+e.Message
		if e.Code != rollcall.CodeUnavailable.String() && e.Code != rollcall.CodeDeadlineExceeded.String() {
			out.State = "refuses" // to tell us, as an admission may
		}
	case reply.Ready:
		out.Ready, out.State, out.Health = true, "ready", reply
	default:
		out.State, out.Why, out.Health = "not ready", reply.Why, reply
	}
	return out
}

func (h *healthCommand) print(doc *healthJSON, stdout, stderr io.Writer) error {
	if h.output == formatJSON {
		if err := encode(stdout, doc); err != nil {
			return err
		}
	} else if err := printHealth(stdout, doc); err != nil {
		return err
	}
	if len(doc.Instances) == 0 {
		return fmt.Errorf("no instance is registered in %s", doc.Target)
	}
	if n := len(doc.Instances) - doc.Ready; n > 0 {
		fmt.Fprintf(stderr, "rollcall: %d of %d instances are not ready\n", n, len(doc.Instances))
		return errReported
	}
	return nil
}

func printHealth(w io.Writer, doc *healthJSON) error {
	if len(doc.Instances) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tADDRESS\tSTATE\tIN FLIGHT\tANSWERED IN\tWHY")
	for i := range doc.Instances {
		in := &doc.Instances[i]
		inFlight := "-"
		if in.Health != nil {
			inFlight = strconv.Itoa(in.Health.InFlight - 1) // without this question
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", orDash(in.Entry), in.Address, in.State, inFlight, micros(in.ElapsedUS), orDash(in.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range doc.Skipped {
		fmt.Fprintf(w, "skipped %s: %s\n", orDash(s.Entry), orDash(s.Error))
	}
	return nil
}
