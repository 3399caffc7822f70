// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

const overridesNode = "/rpc-meta/overrides"

// writeOverrides writes the document by hand.
func writeOverrides(t *testing.T, client *zk.Client, doc string) {
	t.Helper()
	if err := client.EnsurePath(t.Context(), overridesNode); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Set(t.Context(), overridesNode, []byte(doc), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

// listed returns what ls tells of the instances, by their ID.
func listed(t *testing.T, target string) map[string]instanceJSON {
	t.Helper()
	got := command(t, "ls", "-o", "json", target)
	got.check(t, statusOK, nil, nil)
	var doc listJSON
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatal(err)
	}
	byID := map[string]instanceJSON{}
	for _, in := range doc.Instances {
		byID[in.ID] = in
	}
	return byID
}

// An instance is taken out by any of its names and brought back, and who looks
// sees who did it and why.
func TestDrainAndUndrain(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	serve(t, rollcall.ServerOptions{Registry: target, ID: "two"})
	for _, name := range []string{one.addr, one.entry, "one"} {
		got := command(t, "drain", target, name, "--reason", "new kernel")
		got.check(t, statusOK, []string{"weight 100, 50% of calls  weight 100, drained, 0% of calls", "1 of 2 instances get calls, 2 before"}, nil)
		in := listed(t, target)["one"]
		if in.Override == nil || in.Override.Drain == nil || in.Override.Drain.Reason != "new kernel" || !strings.Contains(in.Override.Drain.By, "@") ||
			in.Override.Drain.At == nil || time.Since(*in.Override.Drain.At) > time.Minute {
			t.Fatalf("got %+v, want the order", in)
		}
		command(t, "ls", target).check(t, statusOK, []string{"drained by " + in.Override.Drain.By + " on ", ": new kernel"}, nil)
		command(t, "undrain", target, name).check(t, statusOK, []string{"drained, 0% of calls", "2 of 2 instances get calls, 1 before"}, nil)
		if in := listed(t, target)["one"]; in.Override != nil {
			t.Errorf("got %+v, want no order", in.Override)
		}
	}
}

func TestWeightAndDefault(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	serve(t, rollcall.ServerOptions{Registry: target, ID: "one", Weight: 50})
	two := serve(t, rollcall.ServerOptions{Registry: target, ID: "two"})
	got := command(t, "weight", target, "one", "300", "-o", "json")
	got.check(t, statusOK, nil, nil)
	var doc effectJSON
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatal(err)
	}
	if row := doc.Instances[0]; len(doc.Instances) != 1 || row.Before.Weight != 50 || row.Before.Override != nil ||
		row.After.Weight != 300 || row.After.Share != 0.75 || row.After.Override.Weight.Value != 300 || doc.Listed != 2 {
		t.Errorf("got %+v", doc)
	}
	if in := listed(t, target)["one"]; in.Weight != 300 || in.Own != 50 {
		t.Errorf("got weight %d, the server's %d, want 300 and 50", in.Weight, in.Own)
	}
	command(t, "ls", target).check(t, statusOK, []string{"weight 300 instead of 50 by "}, nil)

	// Both orders stand beside one another.
	command(t, "drain", target, "one", two.addr, "--force").check(t, statusOK, []string{"0 of 2 instances get calls, 2 before"}, nil)
	command(t, "undrain", target, "one").check(t, statusOK, []string{"weight 300, 100% of calls"}, nil)
	command(t, "weight", target, "one", "default").check(t, statusOK, []string{"weight 300, 100% of calls  weight 50, 100% of calls"}, nil)
	command(t, "undrain", target, "two", "two").check(t, statusOK, []string{"2 of 2 instances get calls, 1 before"}, nil)
	if data, _, err := newZKClient(t, registry.Addr()).Get(t.Context(), overridesNode); err != nil || string(data) != `{"overrides":[],"version":1}` {
		t.Errorf("got %s, %v, want no orders", data, err)
	}
}

// What would leave nobody is refused, whoever is left out how.
func TestLastInstanceIsNotTakenOut(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	serve(t, rollcall.ServerOptions{Registry: target, ID: "two"})
	serve(t, rollcall.ServerOptions{Registry: target, ID: "never", Weight: -1})
	const refused = "with that no instance of 3 would get calls: give --force"
	command(t, "drain", target, "one", "two").check(t, statusFailure, nil, []string{refused})
	if _, there, err := newZKClient(t, registry.Addr()).Exists(t.Context(), overridesNode); there || err != nil {
		t.Errorf("something was written for what was refused: %v", err)
	}
	command(t, "weight", target, "one", "0").check(t, statusOK, []string{"weight 0, 0% of calls"}, nil)
	command(t, "drain", target, "two").check(t, statusFailure, nil, []string{refused})
	command(t, "weight", target, "two", "0").check(t, statusFailure, nil, []string{refused})
	command(t, "weight", target, "two", "0", "--force").check(t, statusOK, nil, nil)
	// Where nobody is left no order makes it worse, and a call tells why it fails.
	command(t, "drain", target, "two").check(t, statusOK, []string{"0 of 3 instances get calls, 0 before"}, nil)
	command(t, "call", target, divideMethod.Name, `{"num1":6}`).check(t, statusFailure, nil, []string{"3 listed: 1 drained by operators, 2 disabled"})
}

// Two operators who take out one instance each at the same time cannot take out
// the last one together.
func TestTwoOperators(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	ids := []string{"one", "two"}
	for _, id := range ids {
		serve(t, rollcall.ServerOptions{Registry: target, ID: id})
	}
	for range 10 {
		results := make([]result, len(ids))
		var work sync.WaitGroup
		for i, id := range ids {
			work.Go(func() { results[i] = command(t, "drain", target, id) })
		}
		work.Wait()
		refused := 0
		for _, got := range results {
			if got.status != statusOK {
				got.check(t, statusFailure, nil, []string{"no instance of 2 would get calls"})
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("%d of 2 operators were refused, want 1", refused)
		}
		for i, got := range results {
			if got.status == statusOK {
				command(t, "undrain", target, ids[i]).check(t, statusOK, nil, nil)
			}
		}
	}
}

func TestOverrideErrors(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	serve(t, rollcall.ServerOptions{Registry: target, ID: one.addr}) // as one is called
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"drain", target}, statusUsage, "INSTANCE is missing: give TARGET INSTANCE..."},
		{[]string{"undrain", target}, statusUsage, "INSTANCE is missing: give TARGET INSTANCE..., or --prune"},
		{[]string{"weight", target, "one"}, statusUsage, "WEIGHT is missing: give TARGET INSTANCE WEIGHT"},
		{[]string{"weight", target, "one", "10001"}, statusUsage, `WEIGHT "10001": give a whole number from 0 to 10000, or default`},
		{[]string{"weight", target, "one", "half"}, statusUsage, `WEIGHT "half": give`},
		{[]string{"drain", "static://127.0.0.1:1", "127.0.0.1:1"}, statusUsage, "orders lie in a registry"},
		{[]string{"drain", "nowhere", "x"}, statusUsage, `target "nowhere": scheme`},
		{[]string{"drain", target, "one", "--reason", strings.Repeat("x", 1025)}, statusUsage, "give at most 1024 bytes of UTF-8"},
		{[]string{"drain", target, "three"}, statusFailure, "no instance three is listed: see rollcall ls"},
		{[]string{"drain", target, "one", "th\x1bree"}, statusFailure, "no instance th?ree is listed"},
		{[]string{"weight", target, "three", "5"}, statusFailure, "no instance three is listed"},
		{[]string{"weight", target, "three", "default"}, statusFailure, "no instance three is listed, and there is no order for one"},
		{[]string{"undrain", target, "three"}, statusFailure, "no instance three is listed, and there is no order for one"},
		{[]string{"drain", target, one.addr}, statusFailure, "2 instances are called " + one.addr + ": give the entry or the ID of one"},
		{[]string{"drain", "zk://" + closedPort(t) + "/rpc", "x", "--timeout", "1500ms"}, statusFailure, "the registry did not answer within 1.5s"},
	} {
		command(t, tt.args...).check(t, tt.status, nil, []string{tt.want})
	}
}

// A document that somebody has spoilt is shown and left alone.
func TestUnreadableOverrides(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	writeOverrides(t, newZKClient(t, registry.Addr()), `{"version":9}`)
	command(t, "ls", target).check(t, statusOK, []string{"one", "skipped " + overridesNode + ": ", `version "9"`}, nil)
	command(t, "drain", target, "one", "--force").check(t, statusFailure, nil, []string{overridesNode + " cannot be read, and so not changed: version"})
}

// Who may write the document is up to its ACL.
func TestOverridesOfOthers(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	serve(t, rollcall.ServerOptions{Registry: target, ID: "two"})
	command(t, "drain", target, "one", "--auth", "digest:ann:secret").check(t, statusOK, nil, nil)
	command(t, "undrain", target, "one").check(t, statusFailure, nil, []string{"the ACL of " + overridesNode + " does not permit that: give --auth"})
	if listed(t, target)["one"].Override == nil {
		t.Error("the order is not seen by everybody")
	}
	command(t, "undrain", target, "one", "--auth", "digest:ann:secret").check(t, statusOK, nil, nil)
}

// Orders for what is gone stay, for it may come back, until somebody says so.
func TestPrune(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	client := newZKClient(t, registry.Addr())
	yesterday, now := time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)
	doc := fmt.Sprintf(`{"version":1,"overrides":[{"id":"old","address":"10.0.0.1:1","drain":{"at":%[1]q},"weight":{"value":3}},
		{"id":"mixed","drain":{"at":%[1]q},"weight":{"value":3,"at":%[2]q}},{"id":"one","weight":{"value":7,"at":%[1]q}},{"id":"new","drain":{"at":%[2]q}}]}`, yesterday, now)
	writeOverrides(t, client, doc)
	got := command(t, "undrain", target, "--prune", "12h")
	got.check(t, statusOK, []string{"10.0.0.1:1  old  weight 3, drained  -", "1 of 1 instances get calls, 1 before"}, nil)
	for _, kept := range []string{"mixed", "one", "new"} {
		if strings.Contains(got.stdout, kept+" ") {
			t.Errorf("the order for %s is touched:\n%s", kept, got.stdout)
		}
	}
	command(t, "undrain", target, "new").check(t, statusOK, []string{"new  drained  -"}, nil)
	command(t, "undrain", target, "new").check(t, statusFailure, nil, []string{"no instance new is listed, and there is no order for one"})
	data, _, err := client.Get(t.Context(), overridesNode)
	if err != nil || strings.Contains(string(data), `"old"`) || strings.Contains(string(data), `"new"`) || !strings.Contains(string(data), `"mixed"`) {
		t.Errorf("got %s, %v", data, err)
	}
}

// A watch shows orders as they come.
func TestWatchOrders(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	one := serve(t, rollcall.ServerOptions{Registry: target, ID: "one"})
	ls := begin(t, "ls", "--watch", target)
	line(t, ls.stdout)
	line(t, ls.stdout)
	command(t, "drain", target, "one", "--force", "--reason", "because").check(t, statusOK, nil, nil)
	if got := stamped(t, line(t, ls.stdout)); !strings.HasPrefix(got, "~ "+one.entry+"  "+one.addr+"  weight 100") || !strings.HasSuffix(got, ": because") {
		t.Errorf("got %q, want the order", got)
	}
	command(t, "undrain", target, "one").check(t, statusOK, nil, nil)
	if got := stamped(t, line(t, ls.stdout)); strings.Contains(got, "drained") || !strings.HasPrefix(got, "~ "+one.entry) {
		t.Errorf("got %q, want that the order ended", got)
	}
}
