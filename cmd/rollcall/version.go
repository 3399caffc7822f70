// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall"
)

// A versionInfo is what "rollcall version" tells.
type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Protocol string `json:"protocol"`

	Defaults map[string]any `json:"defaults,omitempty"` // with -v
}

func newVersion() *cobra.Command {
	output, verbose := formatTable, false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Long: `Print the version of this binary, of Go and of the protocol; with -v also the
defaults of this version: what holds where neither options nor flags say otherwise.`,
		Example: `  rollcall version -v
  rollcall version -v -o json | jq .defaults.max_message_bytes`,
		Args: argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := versionInfo{Version: buildVersion(), Go: runtime.Version(), Protocol: rollcall.ProtocolName}
			if verbose {
				info.Defaults = defaultsJSON()
			}
			return info.print(cmd.OutOrStdout(), output)
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "with the table of defaults")
	addOutput(cmd, &output)
	return cmd
}

func (v *versionInfo) print(w io.Writer, output format) error {
	if output == formatJSON {
		return json.NewEncoder(w).Encode(v)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "rollcall\t%s\ngo\t%s\nprotocol\t%s\n", v.Version, v.Go, v.Protocol)
	if err := table.Flush(); err != nil || v.Defaults == nil {
		return err
	}
	fmt.Fprintln(w)
	return printDefaults(w)
}

// addOutput adds -o to a command that prints data.
func addOutput(cmd *cobra.Command, output *format) {
	cmd.Flags().VarP(output, "output", "o", "print as table or json")
}

// buildVersion is the module's version that the binary was built from, "devel"
// where that is not known.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
