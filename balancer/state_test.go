// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "testing"

func TestCountsString(t *testing.T) {
	for _, tt := range []struct {
		counts Counts
		want   string
	}{
		{Counts{}, "0 listed"},
		{Counts{Listed: 3, Usable: 2, SetAside: 1}, "3 listed: 2 usable, 1 set aside"},
		{Counts{Listed: 3, Usable: 2, Ejected: 1, Draining: 1}, "3 listed: 2 usable, 1 ejected, 1 draining"},
		{Counts{Lingering: 3, Skipped: 1}, "0 listed; 3 lingering; 1 skipped"},
		{
			Counts{Listed: 23, Usable: 1, SetAside: 2, Lingering: 6, Draining: 3, Leaving: 9, Drained: 8, Disabled: 4, Unsupported: 5, Skipped: 7},
			"23 listed: 1 usable, 2 set aside, 3 draining, 8 drained by operators, 4 disabled, 5 unsupported; 6 lingering; 9 leaving; 7 skipped",
		},
	} {
		if got := tt.counts.String(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.counts, got, tt.want)
		}
	}
	if got := State(0).String(); got != "unknown" {
		t.Errorf("the zero state: got %q, want unknown", got)
	}
}
