// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// randomSteps is how long each random scenario is.
var randomSteps = flag.Int("random-steps", 150, "steps of each random scenario that both servers play")

// A generator makes the next steps of a random scenario.
type generator struct{ *rand.Rand }

// randoms are the kinds of random scenarios. They leave out what is known to
// differ: exists without READ, create2 inside a multi, several kinds of watches on
// one path.
var randoms = map[string]func(g generator) []string{
	"sequences":   generator.sequences,
	"permissions": generator.permissions,
	"changes":     generator.changes,
}

// testRandom plays random scenarios on both servers: they must answer alike.
func testRandom(t *testing.T, ours, apache place) {
	t.Helper()
	for name, next := range randoms {
		t.Run("random "+name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			g := generator{rand.New(rand.NewPCG(seed, 0))}
			sc := &scenario{file: "random-" + name}
			for len(sc.steps) < *randomSteps {
				for _, text := range next(g) {
					sc.steps = append(sc.steps, step{lines: strings.Split(text, "\n")})
				}
			}
			got, _ := runScenario(t, sc, ours)
			want, _ := runScenario(t, sc, apache)
			for i := range sc.steps {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("after\n%s\ngot:\n  %s\nwant:\n  %s", sc.until(i), strings.Join(got[i], "\n  "), strings.Join(want[i], "\n  "))
				}
			}
			checkSequences(t, sc, got)
		})
	}
}

// until returns the steps up to one as a script.
func (sc *scenario) until(last int) string {
	var b strings.Builder
	for _, st := range sc.steps[:last+1] {
		fmt.Fprintln(&b, strings.Join(st.lines, "\n"))
	}
	return b.String()
}

func (g generator) pick(words ...string) string { return words[g.IntN(len(words))] }

// multi makes a multi of some operations.
func (g generator) multi(conn string, op func() string) string { return g.many(conn+" multi", op) }

func (g generator) many(text string, op func() string) string {
	var textSb74 strings.Builder
	for range 1 + g.IntN(4) {
		textSb74.WriteString("\n  " + op())
	}
	text += textSb74.String()
	return text
}

// sequences makes and removes children, sequential and plain, in transactions of
// their own and together, and now and then looks at the parent before the next.
func (g generator) sequences() []string {
	parent := fmt.Sprintf("/p%d", g.IntN(3))
	op := func() string {
		switch g.IntN(8) {
		case 0:
			return "create " + parent
		case 1:
			return "delete " + parent
		case 2:
			return fmt.Sprintf("create %s/c%d flags=%d", parent, g.IntN(4), g.IntN(2))
		case 3:
			return fmt.Sprintf("delete %s/c%d", parent, g.IntN(4))
		case 4, 5:
			return fmt.Sprintf("create %s/n- flags=%d", parent, 2+g.IntN(2))
		case 6:
			return fmt.Sprintf("create %s/n-%010d", parent, g.IntN(40))
		}
		return fmt.Sprintf("delete %s/n-%010d", parent, g.IntN(40))
	}
	conn := g.pick("a", "b")
	switch g.IntN(5) {
	case 0:
		return []string{g.multi(conn, op)}
	case 1:
		return []string{conn + " exists " + parent, conn + " create " + parent + "/next- flags=2"}
	}
	return []string{conn + " " + op()}
}

var (
	parentStat = regexp.MustCompile(`cv=(-?\d+) .* children=(\d+) `)
	nextName   = regexp.MustCompile(`/next-(\d{10})`)
)

// checkSequences demands that the number of a sequential node is half of what its
// parent's Stat said before: cversion and children.
func checkSequences(t *testing.T, sc *scenario, answers [][]string) {
	t.Helper()
	for i := 1; i < len(answers); i++ {
		name := nextName.FindStringSubmatch(answers[i][0])
		if name == nil {
			continue
		}
		stat := parentStat.FindStringSubmatch(answers[i-1][0])
		if stat == nil {
			t.Fatalf("%s: got %q for the parent", sc.steps[i].command(), answers[i-1][0])
		}
		cversion, _ := strconv.Atoi(stat[1])
		children, _ := strconv.Atoi(stat[2])
		if got, _ := strconv.Atoi(name[1]); got != (cversion+children)/2 {
			t.Errorf("%s: got %d, want half of cversion %d and %d children", sc.steps[i].command(), got, cversion, children)
		}
	}
}

// permissions makes nodes with every kind of list, and tries everything on them as
// one who proved something, one who proved something else and one who did not.
func (g generator) permissions() []string {
	node := fmt.Sprintf("/n%d", g.IntN(4))
	if g.IntN(3) == 0 {
		node += "/c"
	}
	conn := g.pick("bob", "eve", "nobody")
	acl := func() string {
		var list []string
		for range 1 + g.IntN(2) {
			perms := 1 << g.IntN(5)
			if g.IntN(2) == 0 {
				perms = g.IntN(32)
			}
			list = append(list, fmt.Sprintf("%d/%s", perms, g.pick("world/anyone", "auth/", "ip/127.0.0.1", "ip/10.0.0.0/8",
				"digest/bob:ikIaKsbtGweaHnb/jKn7OHqbunM=", "digest/eve:sub45x7uMSygdEP3zRTQsTgMjWE=")))
		}
		return strings.Join(list, ",")
	}
	version := g.IntN(4) - 1
	switch g.IntN(12) {
	case 0:
		return []string{g.pick("bob auth digest bob:pw", "eve auth digest eve:pw2")}
	case 1, 2:
		return []string{fmt.Sprintf("%s create %s acl=%s", conn, node, acl())}
	case 3:
		return []string{fmt.Sprintf("%s setacl %s acl=%s v=%d", conn, node, acl(), version)}
	case 4:
		return []string{fmt.Sprintf("%s delete %s v=%d", conn, node, version)}
	case 5:
		return []string{fmt.Sprintf("%s set %s data=%d v=%d", conn, node, g.IntN(100), version)}
	case 6:
		return []string{g.multi(conn, func() string {
			return fmt.Sprintf(g.pick("check %s", "set %s data=x", "create %s/x", "delete %s/x", "delete %s"), node)
		})}
	case 7:
		return []string{g.many(conn+" multiread", func() string { return g.pick("get ", "children ") + node })}
	case 8:
		return []string{conn + " getacl " + node}
	}
	return []string{conn + " " + g.pick("get ", "children ", "children2 ", "count ") + node}
}

// changes makes any change, and tells watchers of it: one of everything, and one of
// a node and its list of children.
func (g generator) changes() []string {
	node := "/" + g.pick("x", "y", "x/a", "x/b", "y/a", "x/a/b")
	version := max(g.IntN(6)-3, -1)
	op := func() string {
		switch g.IntN(5) {
		case 0, 1:
			return fmt.Sprintf("create %s data=%d flags=%d", node, g.IntN(1000), []int{0, 0, 0, 1, 2, 7}[g.IntN(6)])
		case 2:
			return fmt.Sprintf("set %s data=%s v=%d", node, g.pick("null", "", "1", "22"), version)
		}
		return fmt.Sprintf("delete %s v=%d", node, version)
	}
	conn := g.pick("a", "b")
	switch g.IntN(12) {
	case 0:
		return []string{g.multi(conn, op)}
	case 1:
		return []string{"every addwatch . mode=1", "stay addwatch /x mode=0"}
	case 2:
		return []string{"list children " + node + " watch=1", "once get " + node + " watch=1", "there exists " + node + " watch=1"}
	case 3:
		return []string{"every events", "stay events", "list events", "once events", "there events"}
	case 4:
		return []string{conn + " " + g.pick("children2 ", "get ", "exists ", "count ", "getacl ") + node}
	case 5:
		return []string{conn + " ephemerals ."}
	}
	return []string{conn + " " + op()}
}
