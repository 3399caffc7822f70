// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
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
}

func newVersion() *cobra.Command {
	output := formatTable
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		Example: "  rollcall version -o json",
		Args:    argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := versionInfo{Version: buildVersion(), Go: runtime.Version(), Protocol: rollcall.ProtocolName}
			if output == formatJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(info)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(table, "rollcall\t%s\ngo\t%s\nprotocol\t%s\n", info.Version, info.Go, info.Protocol)
			return table.Flush()
		},
	}
	addOutput(cmd, &output)
	return cmd
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
