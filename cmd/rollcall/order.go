// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// An overrideJSON is what operators have ordered for an instance; null: not that.
type overrideJSON struct {
	Drain  *orderJSON       `json:"drain"`
	Weight *weightOrderJSON `json:"weight"`
}

type orderJSON struct {
	By     string     `json:"by"`
	At     *time.Time `json:"at"` // null: not told
	Reason string     `json:"reason"`
}

type weightOrderJSON struct {
	Value int `json:"value"`
	orderJSON
}

func overrideToJSON(o *discovery.Override) *overrideJSON {
	if o == nil {
		return nil
	}
	out := new(overrideJSON)
	if o.Drain != nil {
		order := orderToJSON(o.Drain)
		out.Drain = &order
	}
	if o.Weight != nil {
		out.Weight = &weightOrderJSON{o.Weight.Value, orderToJSON(&o.Weight.Order)}
	}
	return out
}

func orderToJSON(o *discovery.Order) orderJSON {
	out := orderJSON{By: o.By, Reason: o.Reason}
	if !o.At.IsZero() {
		out.At = &o.At
	}
	return out
}

// ordered tells in words what is ordered for an instance; "": nothing.
func ordered(o *discovery.Override) string {
	if o == nil {
		return ""
	}
	var parts []string
	if o.Drain != nil {
		parts = append(parts, "drained"+origin(o.Drain))
	}
	if o.Weight != nil {
		parts = append(parts, fmt.Sprintf("weight %d instead of %d%s", o.Weight.Value, o.ServerWeight, origin(&o.Weight.Order)))
	}
	return strings.Join(parts, "; ")
}

// origin tells who gave an order, when and why, as far as it is known.
func origin(o *discovery.Order) string {
	var b strings.Builder
	if o.By != "" {
		b.WriteString(" by " + o.By)
	}
	if !o.At.IsZero() {
		b.WriteString(" on " + o.At.Local().Format("2006-01-02 15:04"))
	}
	if o.Reason != "" {
		b.WriteString(": " + o.Reason)
	}
	return b.String()
}
