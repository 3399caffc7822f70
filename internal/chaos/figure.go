// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"math"
	"strconv"
)

// A Figure is what a scenario has measured beside what is measured in all, and
// what it promises of it.
type Figure struct {
	Name    string   `json:"name"`
	Value   float64  `json:"value"`
	AtMost  *float64 `json:"at_most,omitempty"`  // the promise; nil: none
	AtLeast *float64 `json:"at_least,omitempty"` // likewise
}

// bound is what is promised of the value, in words; empty: nothing.
func (f *Figure) bound() string {
	switch {
	case f.AtMost != nil:
		return "at most " + number(*f.AtMost)
	case f.AtLeast != nil:
		return "at least " + number(*f.AtLeast)
	}
	return ""
}

// kept reports whether it is as was promised.
func (f *Figure) kept() bool {
	return (f.AtMost == nil || f.Value <= *f.AtMost) && (f.AtLeast == nil || f.Value >= *f.AtLeast)
}

func (f *Figure) String() string {
	text := f.Name + ": " + number(f.Value)
	if bound := f.bound(); bound != "" {
		text += ", " + bound
	}
	return text
}

// number returns a number with two digits behind the point, a whole one with none.
func number(v float64) string {
	digits := 2
	if v == math.Trunc(v) {
		digits = 0
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// measured notes a figure that nothing is promised of.
func (s *stage) measured(name string, value float64) {
	s.figures = append(s.figures, Figure{Name: name, Value: value})
}

// atMost notes a figure that is promised not to be greater.
func (s *stage) atMost(name string, value, most float64) {
	s.figures = append(s.figures, Figure{Name: name, Value: value, AtMost: &most})
}

// atLeast notes a figure that is promised not to be smaller.
func (s *stage) atLeast(name string, value, least float64) {
	s.figures = append(s.figures, Figure{Name: name, Value: value, AtLeast: &least})
}
