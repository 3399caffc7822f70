// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"slices"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestScenarios(t *testing.T) {
	seen := map[string]bool{}
	for _, sc := range Scenarios {
		if sc.Name == "" || sc.About == "" || sc.play == nil || seen[sc.Name] {
			t.Errorf("scenario %q has no name, no description or no play, or comes twice", sc.Name)
		}
		seen[sc.Name] = true
	}
	if got := Select([]string{"stop", "kill"}, true); len(got) != 2 || got[0].Name != "kill" {
		t.Errorf("selected %d scenarios, want kill and stop, in that order", len(got))
	}
	all, short := Select(nil, false), Select(nil, true)
	if len(all) != len(Scenarios) || len(short) == 0 || len(short) >= len(all) {
		t.Errorf("%d scenarios in all, %d in the short form", len(all), len(short))
	}
}

// What cannot be played with a registry is skipped, and all else is played.
func TestNeeds(t *testing.T) {
	given := Config{Target: discovery.Target{Scheme: discovery.SchemeZooKeeper, Hosts: []string{"h:1"}, Path: "/rpc"}}
	for name, tt := range map[string]struct {
		cfg  Config
		want []string // skipped
	}{
		"embedded": {Config{}, []string{"leader-kill"}},
		"given":    {given, []string{"leader-kill", "registry-kill", "registry-wipe"}},
		"single":   {Config{Members: make([]Member, 1)}, []string{"leader-kill", "registry-wipe"}},
		"ensemble": {Config{Members: make([]Member, 3)}, []string{"registry-kill", "registry-wipe"}},
	} {
		var skipped []string
		for _, sc := range Scenarios {
			if sc.needs != nil && sc.needs(&tt.cfg) != "" {
				skipped = append(skipped, sc.Name)
			}
		}
		if slices.Sort(skipped); canStop && !slices.Equal(skipped, tt.want) {
			t.Errorf("%s: skipped %v, want %v", name, skipped, tt.want)
		}
	}
}
