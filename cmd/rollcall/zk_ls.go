// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// A znodeList is one run of "rollcall zk ls".
type znodeList struct {
	znodeCommand
	recursive, long bool
}

func newZKLs() *cobra.Command {
	ls := &znodeList{}
	cmd := &cobra.Command{
		Use:   "ls [ZNODE]",
		Short: "List the children of a znode",
		Long: `List the names of the children of a znode, by default of the root /; with -R the
paths of all that is below it. -l adds the version of the data, its size, the
number of children, the session of an ephemeral znode and when it was changed.

What may not be read is named on stderr, the rest is listed, and the exit status
is 1.`,
		Example: `  rollcall zk ls
  rollcall zk ls -l /rpc
  rollcall zk ls -R zk://127.0.0.1:2181
  rollcall zk ls /rpc -o json | jq -r '.nodes[].path'`,
		Args: argCount(0, "ZNODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ls.parse(cmd, append(args, "/")[0]); err != nil {
				return err
			}
			return ls.run(cmd.Context(), ls.list)
		},
	}
	cmd.Flags().BoolVarP(&ls.recursive, "recursive", "R", false, "all that is below")
	cmd.Flags().BoolVarP(&ls.long, "long", "l", false, "with details")
	return ls.addFlags(cmd, true)
}

// A treeJSON is the document of "rollcall zk ls -o json".
type treeJSON struct {
	Path  string     `json:"path"`
	Nodes []nodeJSON `json:"nodes"`
}

func (ls *znodeList) list(ctx context.Context) error {
	found, err := ls.walk(ctx, ls.path, ls.recursive, ls.long)
	if err != nil {
		return err
	}
	if err := ls.print(found.nodes); err != nil {
		return err
	}
	if len(found.nodes) == 0 && len(found.failed) == 0 && ls.output == formatTable {
		fmt.Fprintf(ls.stderr, "%s has no children\n", orDash(ls.path))
	}
	for _, err := range found.failed {
		fmt.Fprintf(ls.stderr, "rollcall: %v\n", ls.explain(ctx, err))
	}
	if len(found.failed) > 0 {
		return errReported
	}
	return nil
}

func (ls *znodeList) print(nodes []znode) error {
	switch {
	case ls.output == formatJSON:
		doc := treeJSON{Path: ls.path, Nodes: make([]nodeJSON, len(nodes))}
		for i := range nodes {
			doc.Nodes[i].Path = nodes[i].path
			if ls.long && nodes[i].known {
				doc.Nodes[i].Stat = statToJSON(&nodes[i].stat)
			}
		}
		return encode(ls.stdout, doc)
	case ls.long:
		return ls.printTable(nodes)
	}
	for i := range nodes {
		if _, err := fmt.Fprintln(ls.stdout, ls.name(&nodes[i])); err != nil {
			return err
		}
	}
	return nil
}

func (ls *znodeList) printTable(nodes []znode) error {
	table := tabwriter.NewWriter(ls.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tVERSION\tBYTES\tCHILDREN\tOWNER\tMODIFIED")
	for i := range nodes {
		name, s := ls.name(&nodes[i]), &nodes[i].stat
		if nodes[i].known {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\n", name, s.Version, s.DataLength, s.NumChildren, owner(s), date(s.Mtime))
		} else {
			fmt.Fprintf(table, "%s\t-\t-\t-\t-\t-\n", name)
		}
	}
	return table.Flush()
}

// name is how a node is called in the list.
func (ls *znodeList) name(node *znode) string {
	if ls.recursive {
		return orDash(node.path)
	}
	return orDash(node.path[len(childOf(ls.path, "")):])
}
