// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Command simulation shows how well the balancing policies do beside an oracle:
// it runs all scenarios of package internal/simulation with all contenders and
// some seeds, prints the medians as a table and plots the 99th percentile over
// time.
//
//	go run ./simulation -plots DIR
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rollcall-rpc/rollcall/internal/simulation"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "simulation:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("simulation", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seeds := flags.Int("seeds", 5, "how many `runs` of each: the table has their medians")
	plots := flags.String("plots", "", "`directory` for an SVG plot of each scenario; empty: none")
	only := flags.String("only", "", "the one `scenario` to run; empty: all")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *seeds < 1:
		return fmt.Errorf("-seeds %d: give 1 or more", *seeds)
	}
	ran := false
	for _, s := range simulation.Scenarios {
		if *only != "" && s.Name != *only {
			continue
		}
		ran = true
		rows := make([]row, 0, len(simulation.Contenders))
		for _, c := range simulation.Contenders {
			r := row{name: c.Name}
			for seed := range *seeds {
				r.runs = append(r.runs, simulation.Run(s, c, uint64(seed)+1))
			}
			rows = append(rows, r)
		}
		printTable(stdout, s, rows)
		if *plots == "" {
			continue
		}
		if err := plotScenario(filepath.Join(*plots, fileName(s.Name)), s, rows); err != nil {
			return fmt.Errorf("plot of %q: %w", s.Name, err)
		}
	}
	if !ran {
		return fmt.Errorf("-only %q: there is no such scenario", *only)
	}
	return nil
}
