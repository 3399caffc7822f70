// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

func newZKStat() *cobra.Command {
	z := &znodeCommand{}
	cmd := &cobra.Command{
		Use:   "stat ZNODE",
		Short: "Show what ZooKeeper notes about a znode",
		Long: `Show what ZooKeeper notes about a znode: the transactions (zxid) that created and
changed it, when that was on the registry's clock, how often, the session that it
lives as long as, and its size.`,
		Example: `  rollcall zk stat /rpc
  rollcall zk stat /rpc/server0000000000 -o json | jq -r .stat.ephemeral_owner`,
		Args: argCount(1, "ZNODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.parse(cmd, args[0]); err != nil {
				return err
			}
			return z.run(cmd.Context(), func(ctx context.Context) error {
				stat, err := z.stat(ctx, z.path)
				if err != nil {
					return err
				}
				if z.output == formatJSON {
					return encode(z.stdout, nodeJSON{Path: z.path, Stat: statToJSON(&stat)})
				}
				return printStat(z.stdout, &stat)
			})
		},
	}
	return z.addFlags(cmd, true)
}

// stat returns the Stat of a node that is to exist.
func (z *znodeCommand) stat(ctx context.Context, path string) (stat zk.Stat, err error) {
	err = z.ask(ctx, func(ctx context.Context) error {
		var there bool
		if stat, there, err = z.client.Exists(ctx, path); err == nil && !there {
			err = &zk.Error{Op: "exists", Path: path, Sent: true, Err: zk.ErrNoNode}
		}
		return err
	})
	return stat, err
}

// A nodeJSON is a node as printed with -o json.
type nodeJSON struct {
	Path string    `json:"path"`
	Stat *statJSON `json:"stat,omitempty"`
}

// A statJSON is a Stat as printed with -o json. Transactions and sessions are
// text, for many readers of JSON hold numbers in 53 bits.
type statJSON struct {
	Czxid          string     `json:"czxid"`
	Mzxid          string     `json:"mzxid"`
	Pzxid          string     `json:"pzxid"`
	Ctime          *time.Time `json:"ctime"` // null: no time that can be written
	Mtime          *time.Time `json:"mtime"`
	Version        int32      `json:"version"`
	Cversion       int32      `json:"cversion"`
	Aversion       int32      `json:"aversion"`
	EphemeralOwner *string    `json:"ephemeral_owner"` // null: not ephemeral
	DataLength     int32      `json:"data_length"`
	NumChildren    int32      `json:"num_children"`
}

func statToJSON(s *zk.Stat) *statJSON {
	out := &statJSON{
		Czxid: hex(s.Czxid), Mzxid: hex(s.Mzxid), Pzxid: hex(s.Pzxid),
		Ctime: instant(s.Ctime), Mtime: instant(s.Mtime),
		Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion,
		DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
	if s.EphemeralOwner != 0 {
		owner := hex(s.EphemeralOwner)
		out.EphemeralOwner = &owner
	}
	return out
}

// hex writes a transaction or a session as ZooKeeper does.
func hex(n int64) string { return fmt.Sprintf("0x%x", uint64(n)) } //nolint:gosec // the bits are shown

// instant returns milliseconds since 1970 as a time, nil where JSON cannot hold
// it: what a server sends may be anything.
func instant(ms int64) *time.Time {
	t := time.UnixMilli(ms).UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}

// date returns milliseconds since 1970 as people read it.
func date(ms int64) string {
	return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05.000 -07:00")
}

// owner returns the session that an ephemeral node belongs to.
func owner(s *zk.Stat) string {
	if s.EphemeralOwner == 0 {
		return "-"
	}
	return hex(s.EphemeralOwner)
}

func printStat(w io.Writer, s *zk.Stat) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]any{
		{"czxid", hex(s.Czxid)},
		{"mzxid", hex(s.Mzxid)},
		{"pzxid", hex(s.Pzxid)},
		{"ctime", date(s.Ctime)},
		{"mtime", date(s.Mtime)},
		{"version", s.Version},
		{"cversion", s.Cversion},
		{"aversion", s.Aversion},
		{"ephemeralOwner", owner(s)},
		{"dataLength", s.DataLength},
		{"numChildren", s.NumChildren},
	} {
		fmt.Fprintf(table, "%s\t%v\n", row[0], row[1])
	}
	return table.Flush()
}

// encode prints one JSON document over several lines.
func encode(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
