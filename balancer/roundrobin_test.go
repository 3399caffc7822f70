// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"testing"
)

func TestGoldenOrderIsSorted(t *testing.T) {
	sizes := []int{many, 100_003}
	for n := range 700 {
		sizes = append(sizes, n+1)
	}
	for _, n := range sizes {
		want := make([]uint32, n)
		for i := range want {
			want[i] = uint32(i)
		}
		slices.SortFunc(want, func(a, b uint32) int { return cmp.Compare(uint64(a)*golden, uint64(b)*golden) })
		if got := goldenOrder(n); !slices.Equal(got, want) {
			t.Errorf("%d numbers: got %v…, want %v…", n, got[:min(n, 20)], want[:min(n, 20)])
		}
	}
}
