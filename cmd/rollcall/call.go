// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// A callCommand is one run of "rollcall call".
type callCommand struct {
	output            format
	count             count
	interval, timeout span
	instance          instanceName
	access            access
	idempotent        bool
	explain           bool
	balance           policy
	metadata          metadata
	skeleton          bool
	check, checkGiven bool

	method  string
	request []byte
	stdout  io.Writer
	stderr  io.Writer

	// What an instance told about its methods; see methods.
	asked, hinted bool
	known         []rollcall.MethodInfo
	knownErr      error
}

func newCall() *cobra.Command {
	c := &callCommand{output: formatTable, count: 1, timeout: span{d: 5 * time.Second}}
	cmd := &cobra.Command{
		Use:   "call TARGET METHOD [JSON]",
		Short: "Call a method with JSON",
		Long: `Call a method of a service with a JSON request, {} by default; "-" reads it from
stdin. Each reply is printed on a line, each error on stderr with what was tried.
The exit status is 1 if a call failed.

Where people read stderr, an instance is asked before the first call for the keys
that the method knows, and a warning tells of others, which servers ignore; --check
does so in any case, --check=false never. An unknown method is followed by a hint
where an instance lists its own. --skeleton calls nothing and prints a request.`,
		Example: `  rollcall call zk://127.0.0.1:2181/rpc Divide/Divide '{"num1":6,"num2":3}'
  rollcall call zk://127.0.0.1:2181/rpc Divide/Divide '{"num1":6}' --explain
  rollcall call zk://127.0.0.1:2181/rpc Divide/Divide --skeleton > request.json
  rollcall call static://127.0.0.1:8001 Divide/Divide '{"num1":6}' -n 10 --interval 1s
  echo '{"num1":6}' | rollcall call zk://127.0.0.1:2181/rpc Divide/Divide - -o json`,
		Args: argCount(2, "TARGET", "METHOD", "JSON"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.stdout, c.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if cmd.Flags().Changed("interval") && !cmd.Flags().Changed("count") {
				return usagef("--interval %v: it is the pause between calls, give --count too", c.interval.d)
			}
			c.checkGiven = c.check
			if !cmd.Flags().Changed("check") {
				c.check = isTerminal(c.stderr)
			}
			return c.parseAndRun(cmd.Context(), args, cmd.InOrStdin())
		},
	}
	flags := cmd.Flags()
	flags.VarP(&c.count, "count", "n", "how many calls to make, one after the other")
	flags.Var(&c.interval, "interval", "pause between calls")
	flags.Var(&c.timeout, "timeout", "bound of each call; 0: none")
	flags.Var(&c.instance, "instance", "call only this one: its `HOST:PORT` or its entry")
	flags.BoolVar(&c.idempotent, "idempotent", false, "the method does no harm when it runs twice: a call that may have been executed is made again elsewhere")
	flags.BoolVar(&c.explain, "explain", false, "say on stderr, or in the JSON, who could be called, who was and why")
	flags.Var(&c.balance, "balance", "how to choose among the instances: "+strings.Join(balancer.PolicyNames(), ", ")+" (default "+balancer.P2C.Name()+")")
	flags.Var(&c.metadata, "metadata", "metadata to send, may be repeated; no place for secrets: see --token-file")
	flags.BoolVar(&c.skeleton, "skeleton", false, "print a request of the method, to be edited, instead of calling it")
	flags.BoolVar(&c.check, "check", false, "warn of keys of the request that the method does not know (default: where stderr is a terminal)")
	addOutput(cmd, &c.output)
	c.access.addAccess(cmd)
	return cmd
}

func (c *callCommand) parseAndRun(ctx context.Context, args []string, stdin io.Reader) error {
	target, err := parseTarget(args[:1])
	if err != nil {
		return err
	}
	if c.method = args[1]; c.method == "" || len(c.method) > frame.MaxMethod {
		return usagef("METHOD %.40q of %d bytes: give a name of 1 to %d bytes, such as Divide/Divide", c.method, len(c.method), frame.MaxMethod)
	}
	if c.skeleton && len(args) > 2 {
		return usagef("JSON %.80q together with --skeleton: give one of them", args[2])
	}
	if c.request, err = readRequest(ctx, args[2:], stdin); err != nil {
		return err
	}
	opts, err := c.access.client(target, c.stderr)
	if err != nil {
		return err
	}
	opts.Balancing.Policy = c.balance.Policy
	client, err := rollcall.NewClient(target.String(), opts)
	if err != nil {
		return &usageError{err} // of the target
	}
	defer client.Close() // nothing depends on it
	if c.skeleton {
		return c.printSkeleton(ctx, client)
	}
	if c.check {
		c.checkKeys(ctx, client)
	}
	return c.run(ctx, client)
}

// readRequest returns the JSON argument, checked.
func readRequest(ctx context.Context, args []string, stdin io.Reader) ([]byte, error) {
	request, from := []byte("{}"), "JSON"
	if len(args) > 0 {
		request = []byte(args[0])
	}
	if len(args) > 0 && args[0] == "-" {
		var err error
		from = "JSON from stdin"
		if request, err = readStdin(ctx, stdin); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if len(request) > maxStdin {
			return nil, usagef("%s: give at most %d bytes", from, maxStdin)
		}
	}
	var value json.RawMessage
	if err := json.Unmarshal(request, &value); err != nil {
		return nil, usagef("%s %.80q: give valid JSON: %w", from, request, err)
	}
	return request, nil
}

// run makes the calls.
func (c *callCommand) run(ctx context.Context, client *rollcall.Client) error {
	failed := 0
	for i := range int(c.count) {
		if i > 0 && pause.For(ctx, c.interval.d) != nil {
			return fmt.Errorf("interrupted after %d of %d calls", i, c.count)
		}
		ok, err := c.once(ctx, client)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

// A resultJSON is what became of a call, as printed with -o json. Instance and
// Entry are empty where nobody answered.
type resultJSON struct {
	Instance  string          `json:"instance"`
	Entry     string          `json:"entry"`
	ElapsedUS int64           `json:"elapsed_us"`
	Reply     json.RawMessage `json:"reply,omitempty"`
	Error     *errorJSON      `json:"error,omitempty"`

	Explanation *explanationJSON `json:"explain,omitempty"`
}

type errorJSON struct {
	Code     string            `json:"code"`
	Reason   string            `json:"reason"`
	Message  string            `json:"message"`
	Details  map[string]string `json:"details,omitempty"`
	Executed string            `json:"executed"`
}

// once makes a call and prints what became of it; the error is one of writing.
func (c *callCommand) once(ctx context.Context, client *rollcall.Client) (ok bool, err error) {
	var report rollcall.Report
	var before rollcall.ClientState
	if c.explain {
		c.awaitList(ctx, client)
		before = client.State()
	}
	begun := time.Now()
	reply, callErr := client.Invoke(ctx, c.method, c.request, rollcall.CallOptions{
		Codec: rollcall.JSON.ID(), Idempotent: c.idempotent, Timeout: c.timeout.d,
		Instance: string(c.instance), Metadata: c.metadata.m, Report: &report,
	})
	elapsed := time.Since(begun)
	var explanation *explanationJSON
	if c.explain {
		explanation = explain(before, &report, string(c.instance))
	}
	if c.explain && c.output == formatTable {
		explanation.print(c.stderr, begun)
	}
	if callErr != nil {
		fmt.Fprintf(c.stderr, "rollcall: %s\n", printable(callErr.Error()))
		c.hint(ctx, client, callErr)
	}
	if c.output == formatTable {
		if callErr == nil {
			_, err = fmt.Fprintf(c.stdout, "%s\n", asLine(reply))
		}
		return callErr == nil, err
	}
	result := resultJSON{ElapsedUS: elapsed.Microseconds(), Entry: report.Answered.Name, Explanation: explanation}
	if report.Answered.Host != "" {
		result.Instance = report.Answered.Addr()
	}
	if callErr == nil {
		result.Reply = asLine(reply)
	} else {
		result.Error = toErrorJSON(callErr)
	}
	return callErr == nil, json.NewEncoder(c.stdout).Encode(result)
}

// awaitList waits for the list as long as a call may take.
func (c *callCommand) awaitList(ctx context.Context, client *rollcall.Client) {
	if c.timeout.d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout.d)
		defer cancel()
	}
	awaitList(ctx, client)
}

// asLine returns a reply as JSON on one line. What is not JSON, which no server
// that keeps to the protocol sends, becomes a string. The control characters that
// JSON lets stand in a string are escaped: a terminal may obey them.
func asLine(reply []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, reply); err != nil {
		b.Reset()
		quoted, _ := json.Marshal(string(reply)) // a string always encodes
		b.Write(quoted)
	}
	if !bytes.ContainsFunc(b.Bytes(), unicode.IsControl) {
		return b.Bytes()
	}
	var line []byte
	for _, r := range b.String() {
		if unicode.IsControl(r) {
			line = fmt.Appendf(line, "\\u%04x", r)
		} else {
			line = utf8.AppendRune(line, r)
		}
	}
	return line
}

func toErrorJSON(err error) *errorJSON {
	out := &errorJSON{Message: err.Error()}
	if e, ok := errors.AsType[*rollcall.Error](err); ok {
		out.Code, out.Reason, out.Message, out.Details = e.Code.String(), e.Reason, e.Message, e.Details
		out.Executed = e.Executed.String()
	}
	return out
}
