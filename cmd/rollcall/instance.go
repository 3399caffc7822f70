// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// An instanceJSON is how an instance is printed with -o json.
type instanceJSON struct {
	Entry      string            `json:"entry"`
	Address    string            `json:"address"`
	ID         string            `json:"id"`
	Weight     int               `json:"weight"` // what counts
	Own        int               `json:"server_weight"`
	Override   *overrideJSON     `json:"override"` // null: nothing is ordered
	Protocols  []string          `json:"protocols"`
	TLS        bool              `json:"tls"`
	Zone       string            `json:"zone"`
	Version    string            `json:"version"`
	Metadata   map[string]string `json:"metadata"`
	Registered *time.Time        `json:"registered"` // on the registry's clock; null: not known
}

func toJSON(in *discovery.Instance) instanceJSON {
	out := instanceJSON{
		Entry: in.Name, Address: in.Addr(), ID: in.ID, Weight: in.Weight, Own: in.Weight,
		Override: overrideToJSON(in.Override), Protocols: append([]string{}, in.Protocols...), TLS: in.TLS,
		Zone: in.Zone, Version: in.Version, Metadata: map[string]string{},
	}
	if in.Override != nil {
		out.Own = in.Override.ServerWeight
	}
	if in.Metadata != nil {
		out.Metadata = in.Metadata
	}
	if !in.Registered.IsZero() {
		at := in.Registered.UTC()
		out.Registered = &at
	}
	return out
}

// A skippedJSON is an entry that could not be read.
type skippedJSON struct {
	Entry string `json:"entry"`
	Error string `json:"error"`
}

func skippedToJSON(list []discovery.Skipped) []skippedJSON {
	out := make([]skippedJSON, len(list))
	for i, s := range list {
		out[i] = skippedJSON{Entry: s.Name, Error: s.Err.Error()}
	}
	return out
}

// columns are the heads of an instance's cells.
const columns = "ENTRY\tADDRESS\tID\tWEIGHT\tPROTOCOLS\tTLS\tZONE\tVERSION\tAGE\tOVERRIDE"

// cells returns an instance as a row of a table.
func cells(in *discovery.Instance, now time.Time) string {
	return strings.Join([]string{
		orDash(in.Name), in.Addr(), orDash(in.ID), strconv.Itoa(in.Weight), orDash(strings.Join(in.Protocols, ",")), yesNo(in.TLS),
		orDash(in.Zone), orDash(in.Version), age(in.Registered, now),
		orDash(ordered(in.Override)),
	}, "\t")
}

// oneLine returns an instance in one line that needs no heads.
func oneLine(in *discovery.Instance) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  weight %d", orDash(in.Name), in.Addr(), in.Weight)
	for _, fact := range [][2]string{
		{"id", in.ID}, {"protocols", strings.Join(in.Protocols, ",")}, {"zone", in.Zone}, {"version", in.Version},
	} {
		if fact[1] != "" {
			fmt.Fprintf(&b, "  %s %s", fact[0], orDash(fact[1]))
		}
	}
	if in.TLS {
		b.WriteString("  TLS")
	}
	if text := ordered(in.Override); text != "" {
		b.WriteString("  " + orDash(text))
	}
	return b.String()
}

// orDash makes text fit into one cell of a table: what others wrote into the
// registry must not break the table, nor reach the terminal as an escape.
func orDash(s string) string {
	clean := strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	return cmp.Or(clean, "-")
}

// printable makes text that others wrote fit for a terminal, line by line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// age returns how long ago the registry noted the entry. It compares the
// registry's clock with this machine's, which is good enough for the eye.
func age(registered, now time.Time) string {
	if registered.IsZero() {
		return "-"
	}
	d := max(now.Sub(registered), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
