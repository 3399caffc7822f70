// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

func newRegistryCheck() *cobra.Command {
	output := formatTable
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check the data directory of a registry",
		Long: `Read and check everything in the data directory of a registry that is not running,
and show what there is. Nothing is changed.

The exit status is 1 if anything is damaged; file and offset are on stderr. The
end of a log that was being written when the power failed is no damage.`,
		Example: `  rollcall registry check /var/lib/rollcall
  rollcall registry check /var/lib/rollcall -o json | jq .znodes`,
		Args: argCount(1, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := zkserver.CheckData(args[0])
			switch {
			case errors.Is(err, store.ErrInUse):
				return fmt.Errorf("%w: stop the registry, or back it up and check the copy", registryDataError("check", err))
			case err != nil:
				return registryDataError("check", err)
			}
			write := printReport
			if output == formatJSON {
				write = func(w io.Writer, r *zkserver.DataReport) error { return encode(w, reportToJSON(r)) }
			}
			if err := write(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			return reportDamage(cmd.ErrOrStderr(), report)
		},
		ValidArgsFunction: completeDirs,
	}
	cmd.Flags().VarP(&output, "output", "o", "how to print: table or json")
	return cmd
}

// registryDataError words what is wrong with a data directory.
func registryDataError(command string, err error) error {
	if data, ok := errors.AsType[*zkserver.DataError](err); ok {
		err = data.Err
	}
	return fmt.Errorf("registry %s: %w", command, err)
}

// reportDamage tells of damage that a registry would go on with.
func reportDamage(stderr io.Writer, r *zkserver.DataReport) error {
	for _, w := range r.Warnings {
		fmt.Fprintf(stderr, "rollcall: registry check: note: %s\n", w)
	}
	for _, err := range r.Damage {
		fmt.Fprintf(stderr, "rollcall: registry check: a registry would start in spite of this: %v\n", err)
	}
	if len(r.Damage) > 0 {
		return errReported
	}
	return nil
}

func printReport(w io.Writer, r *zkserver.DataReport) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tBYTES\tBATCHES\tRECORDS\tZXID")
	for _, s := range r.Snapshots {
		state := hex(s.Zxid)
		if s.Err != nil {
			state = "damaged"
		}
		fmt.Fprintf(table, "%s\t%d\t-\t-\t%s\n", s.Name, s.Bytes, state)
	}
	for _, s := range r.Segments {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t-\n", s.Name, s.Bytes, s.Batches, s.Records)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range [][2]any{
		{"znodes", r.Znodes},
		{"ephemerals", r.Ephemerals},
		{"sessions", r.Sessions},
		{"last zxid", hex(r.Zxid)},
		{"closed in order", yesNo(r.Closed)},
		{"backup, or last batch lost", yesNo(r.Restored)},
	} {
		fmt.Fprintf(table, "%s\t%v\n", row[0], row[1])
	}
	return table.Flush()
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// A storedJSON is a report as printed with -o json.
type storedJSON struct {
	Snapshots  []snapshotJSON `json:"snapshots"`
	Segments   []segmentJSON  `json:"segments"`
	Records    int            `json:"records"`
	Znodes     int            `json:"znodes"`
	Ephemerals int            `json:"ephemerals"`
	Sessions   int            `json:"sessions"`
	LastZxid   string         `json:"last_zxid"`
	Closed     bool           `json:"closed"`
	Restored   bool           `json:"restored"`
	Notes      []string       `json:"notes"`
	Damage     []string       `json:"damage"`
}

type snapshotJSON struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Zxid  string `json:"zxid"`
}

type segmentJSON struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Batches int    `json:"batches"`
	Records int    `json:"records"`
}

func reportToJSON(r *zkserver.DataReport) storedJSON {
	out := storedJSON{
		Snapshots: []snapshotJSON{}, Segments: []segmentJSON{}, Notes: append([]string{}, r.Warnings...), Damage: []string{},
		Znodes: r.Znodes, Ephemerals: r.Ephemerals, Sessions: r.Sessions, LastZxid: hex(r.Zxid), Closed: r.Closed, Restored: r.Restored,
	}
	for _, s := range r.Snapshots {
		out.Snapshots = append(out.Snapshots, snapshotJSON{s.Name, s.Bytes, hex(s.Zxid)})
	}
	for _, s := range r.Segments {
		out.Segments = append(out.Segments, segmentJSON{s.Name, s.Bytes, s.Batches, s.Records})
		out.Records += s.Records
	}
	for _, err := range r.Damage {
		out.Damage = append(out.Damage, err.Error())
	}
	return out
}
