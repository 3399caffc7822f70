// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// similar returns those of the names that may be meant by what was typed, the most
// similar first: at most three. The part behind the last slash alone will do.
func similar(typed string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	lower := strings.ToLower(typed)
	for _, name := range names {
		of := strings.ToLower(name)
		d := editDistance(lower, of)
		if !strings.Contains(typed, "/") {
			d = min(d, editDistance(lower, of[strings.LastIndexByte(of, '/')+1:]))
		}
		if d <= max(1, len(typed)/3) {
			found = append(found, candidate{name, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var similar []string
	for _, c := range found[:min(len(found), 3)] {
		similar = append(similar, c.name)
	}
	return similar
}

// editDistance is how many letters must be put in, taken out or replaced to make
// the one of the other (V. Levenshtein, 1965).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1) // from the letters of a so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			replaced := diagonal
			if x != y {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
