// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
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

// promise is what the figure promises; empty: nothing.
func (f *Figure) promise() string {
	switch {
	case f.AtMost != nil:
		return f.Name + ": at most " + number(*f.AtMost)
	case f.AtLeast != nil:
		return f.Name + ": at least " + number(*f.AtLeast)
	}
	return ""
}

// kept reports whether it is as was promised. What is no number never is.
func (f *Figure) kept() bool {
	return (f.AtMost == nil || f.Value <= *f.AtMost) && (f.AtLeast == nil || f.Value >= *f.AtLeast)
}

func (f *Figure) String() string {
	text := fmt.Sprintf("%s: %s", f.Name, number(f.Value))
	switch {
	case f.AtMost != nil:
		return text + ", at most " + number(*f.AtMost)
	case f.AtLeast != nil:
		return text + ", at least " + number(*f.AtLeast)
	}
	return text
}

// number returns a number with two digits behind the point at most.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	if whole, isWhole := strconv.FormatFloat(v, 'f', 0, 64), v == float64(int64(v)); isWhole {
		return whole
	}
	return text
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
