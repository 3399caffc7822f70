// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples of Java's Properties.load, and what it leaves open.
func TestParseProperties(t *testing.T) {
	for text, want := range map[string][]property{
		"Truth = Beauty":                                 {{1, "Truth", "Beauty"}},
		" Truth:Beauty\nTruth      :Beauty":              {{1, "Truth", "Beauty"}, {2, "Truth", "Beauty"}},
		"fruits  apple, banana, \\\n   kiwi,\\\n\tmango": {{1, "fruits", "apple, banana, kiwi,mango"}},
		"cheeses":            {{1, "cheeses", ""}},
		"a==b":               {{1, "a", "=b"}},
		"a = : b":            {{1, "a", ": b"}},
		`C\:\\dir=D:\\x\ty`:  {{1, `C:\dir`, "D:\\x\ty"}},
		"\\u0041\\u00=\\uZ":  {{1, "Au00", "uZ"}},
		"a=b\\\\\nc=d":       {{1, "a", `b\`}, {2, "c", "d"}},
		"a=b\\":              {{1, "a", "b"}},
		"#a=b\\\n!c=d\n\n e": {{4, "e", ""}},
		"a=x  \r\nb=y\r\n":   {{1, "a", "x"}, {2, "b", "y"}},
		"":                   nil,
	} {
		if diff := cmp.Diff(parseProperties(text), want, cmp.AllowUnexported(property{})); diff != "" {
			t.Errorf("%q (-got +want):\n%s", text, diff)
		}
	}
}
