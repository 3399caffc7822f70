// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

func newZKGet() *cobra.Command {
	z := &znodeCommand{}
	cmd := &cobra.Command{
		Use:   "get ZNODE",
		Short: "Print the data of a znode",
		Long: `Print the data of a znode, byte for byte; on a terminal with a line feed at the
end, and with ? for what would control the terminal. With -o json the data is text
in "data", or in "data_base64" where it is not UTF-8.`,
		Example: `  rollcall zk get /rpc/server0000000000
  rollcall zk get zk://127.0.0.1:2181/rpc/server0000000000 -o json | jq .stat.version`,
		Args: argCount(1, "ZNODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.parse(cmd, args[0]); err != nil {
				return err
			}
			return z.run(cmd.Context(), z.get)
		},
	}
	return z.addFlags(cmd, true)
}

// A dataJSON is the document of "rollcall zk get -o json": one of Data and
// DataBase64.
type dataJSON struct {
	nodeJSON
	Data       *string `json:"data,omitempty"`
	DataBase64 *string `json:"data_base64,omitempty"`
}

func (z *znodeCommand) get(ctx context.Context) error {
	var data []byte
	var stat zk.Stat
	err := z.ask(ctx, func(ctx context.Context) (err error) {
		data, stat, err = z.client.Get(ctx, z.path)
		return err
	})
	if err != nil {
		return err
	}
	if z.output == formatJSON {
		doc := dataJSON{nodeJSON: nodeJSON{z.path, statToJSON(&stat)}}
		if text := string(data); utf8.ValidString(text) {
			doc.Data = &text
		} else {
			text = base64.StdEncoding.EncodeToString(data)
			doc.DataBase64 = &text
		}
		return encode(z.stdout, doc)
	}
	if isTerminal(z.stdout) {
		data = forTerminal(data)
	}
	_, err = z.stdout.Write(data)
	return err
}

// forTerminal makes data readable: lines stay lines, the last one ends, and
// nothing controls the terminal.
func forTerminal(data []byte) []byte {
	text := printable(string(data))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return []byte(text)
}
