// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

// members are what repeated HOST:PORT=COMMAND flags make.
type members []chaos.Member

func (m *members) String() string { return "" }
func (m *members) Type() string   { return "HOST:PORT=COMMAND" }

func (m *members) Set(s string) error {
	addr, command, _ := strings.Cut(s, "=")
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.TrimSpace(command) == "" {
		return errors.New("give HOST:PORT=COMMAND: where it serves clients, and what starts it in the foreground")
	}
	*m = append(*m, chaos.Member{Addr: addr, Command: command})
	return nil
}

// scenarioNames are names of scenarios, separated by commas.
type scenarioNames []string

func (n *scenarioNames) String() string { return strings.Join(*n, ",") }
func (n *scenarioNames) Type() string   { return "NAME[,NAME...]" }

func (n *scenarioNames) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		if !slices.Contains(chaos.Names(), name) {
			return fmt.Errorf("there is no scenario %q, give %s", name, orList(chaos.Names()))
		}
		*n = append(*n, name)
	}
	return nil
}

// A seed is any whole number from 0.
type seed uint64

func (v *seed) String() string { return strconv.FormatUint(uint64(*v), 10) }
func (v *seed) Type() string   { return "NUMBER" }

func (v *seed) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("give a whole number from 0 to 18446744073709551615")
	}
	*v = seed(n)
	return nil
}
