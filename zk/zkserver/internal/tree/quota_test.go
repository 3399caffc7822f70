// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// setQuota does what clients do to give a node a quota.
func (b *Batch) setQuota(path, limits string) {
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			b.at(1, Request{Op: jute.OpCreate, Path: jute.QuotaPath + path[:i]})
		}
	}
	b.at(1, Request{Op: jute.OpCreate, Path: jute.QuotaPath + path + limitsName, Data: []byte(limits)})
	b.at(1, Request{Op: jute.OpCreate, Path: jute.QuotaPath + path + statsName, Data: []byte("count=0,bytes=0")})
}

func (b *Batch) used(path string) string {
	return string(b.get(jute.QuotaPath + path + statsName).Data)
}

func TestParseUsage(t *testing.T) {
	for text, want := range map[string]usage{
		"":                   {-1, -1, -1, -1},
		"count=1,bytes=2":    {1, 2, -1, -1},
		"count=-1,bytes=2":   {-1, 2, -1, -1},
		"bytes=2;count=1":    {1, 2, -1, -1},
		"count=,bytes=":      {-1, -1, -1, -1},
		"other=5,,;;count=7": {7, -1, -1, -1},
		"count=1,bytes=2=;byteHardLimit=3;countHardLimit=4": {1, 2, 4, 3},
	} {
		if got, ok := parseUsage([]byte(text)); !ok || got != want {
			t.Errorf("%q: got %+v %t, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"count=x", "count=1,bytes=99999999999999999999", "bytes=1 "} {
		if _, ok := parseUsage([]byte(text)); ok {
			t.Errorf("%q: taken for a quota", text)
		}
	}
}

func TestQuotaOf(t *testing.T) {
	for path, want := range map[string]string{
		"/zookeeper/quota/a/zookeeper_limits":                 "/a",
		"/zookeeper/quota/a/b/zookeeper_limits":               "/a/b",
		"/zookeeper/quota/zookeeper_limits":                   "",
		"/zookeeper/quota/a/zookeeper_stats":                  "",
		"/a/zookeeper_limits":                                 "",
		"/zookeeper/quotas/a/zookeeper_limits":                "",
		"/zookeeper/quota/zookeeper/quota/a/zookeeper_limits": "",
	} {
		if got, ok := quotaOf(path, limitsName); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %q %t, want %q", path, got, ok, want)
		}
	}
}

// The nearest quota above a node counts, by whole names.
func TestQuotaFor(t *testing.T) {
	b := begun()
	b.at(1, Request{Op: jute.OpCreate, Path: "/a"})
	b.setQuota("/a", "count=5")
	b.setQuota("/a/b", "count=5")
	b.setQuota("/zookeeper", "count=5")
	for path, want := range map[string]string{
		"/": "", "/b": "", "/ab": "", "/a": "/a", "/a/x": "/a", "/a/x/y": "/a", "/a/b": "/a/b", "/a/b/c/d": "/a/b", "/a/bc": "/a",
		"/zookeeper/quota/x": "", "/zookeeper/config": "/zookeeper",
	} {
		if got, ok := b.quotaFor(path); got != want || ok != (want != "") {
			t.Errorf("%s: got %q %t, want %q", path, got, ok, want)
		}
	}
}

// A multi that fails takes its limits, counts and nodes back, and what was
// applied can be applied again.
func TestQuotaInMulti(t *testing.T) {
	b := begun()
	start := b.Commit()
	b = start.Begin()
	b.at(1, Request{Op: jute.OpCreate, Path: "/a"})
	b.setQuota("/a", "count=5,bytes=100")
	multi := func(last string) Outcome {
		return b.Do(&Request{Op: jute.OpMulti, Session: 1, Ops: []Request{
			{Op: jute.OpCreateContainer, Path: "/a/c", ACL: WorldAnyone(), Data: []byte("123"), Flags: 4},
			{Op: jute.OpDelete, Path: jute.QuotaPath + "/a" + limitsName, Version: -1},
			{Op: jute.OpCreate, Path: "/a/d", ACL: WorldAnyone()},
			{Op: jute.OpDelete, Path: last, Version: -1},
		}}, b.Zxid()+1, 1)
	}
	size, before := b.bytes, b.used("/a")
	multi("/missing")
	if b.bytes != size || b.used("/a") != before || before != "count=1,bytes=0" {
		t.Errorf("after a failure: got %d bytes, %s, want %d, count=1,bytes=0", b.bytes, b.used("/a"), size)
	}
	if _, ok := b.quotaFor("/a"); !ok {
		t.Error("the quota is gone with a multi that failed")
	}
	multi("/a/d")
	if got, want := b.used("/a"), "count=2,bytes=3"; got != want {
		t.Errorf("got %s, want %s: nothing is counted when the limits are gone", got, want)
	}
	next := b.Commit()
	again, err := start.Apply(b.Txns())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(look(next), look(again), cmp.AllowUnexported(seen{})); diff != "" {
		t.Errorf("applied again (-want +got):\n%s", diff)
	}
	if next.Bytes() != again.Bytes() || next.quotas.len != again.quotas.len || next.mortals.len != again.mortals.len {
		t.Error("applied again: the indexes differ")
	}
}

func TestOverruns(t *testing.T) {
	b := begun()
	b.at(1, Request{Op: jute.OpCreate, Path: "/a"})
	b.setQuota("/a", "count=2,bytes=3")
	b.at(1, Request{Op: jute.OpCreate, Path: "/a/1"})
	if got := b.Overruns(); len(got) != 0 {
		t.Errorf("within the quota: got %+v", got)
	}
	b.at(1, Request{Op: jute.OpCreate, Path: "/a/2"})
	b.at(1, Request{Op: jute.OpCreate, Path: "/a/3"})
	b.at(1, Request{Op: jute.OpSetData, Path: "/a/3", Data: []byte("1234")})
	want := []Overrun{
		{Path: "/a", What: "count", Value: 4, Limit: 2},
		{Path: "/a", What: "bytes", Value: 4, Limit: 3},
	}
	if got := b.Overruns(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// A hard limit that is not enforced is no error.
	b.at(1, Request{Op: jute.OpSetData, Path: jute.QuotaPath + "/a" + limitsName, Data: []byte("count=2,bytes=3=;countHardLimit=4")})
	if out := b.at(1, Request{Op: jute.OpCreate, Path: "/a/4"}); out.Err != 0 {
		t.Errorf("not enforced: got %v, want ok", out.Err)
	}
	b.Rules.EnforceQuota = true
	if out := b.at(1, Request{Op: jute.OpCreate, Path: "/a/5"}); out.Err != jute.ErrQuotaExceeded {
		t.Errorf("enforced: got %v, want %v", out.Err, jute.ErrQuotaExceeded)
	}
}

// What a client has broken stays as it is, and refuses nothing.
func TestBrokenQuota(t *testing.T) {
	b := begun()
	b.Rules.EnforceQuota = true
	b.at(1, Request{Op: jute.OpCreate, Path: "/a"})
	b.setQuota("/a", "count=1=;countHardLimit=1")
	b.at(1, Request{Op: jute.OpSetData, Path: jute.QuotaPath + "/a" + statsName, Data: []byte("count=many")})
	if out := b.at(1, Request{Op: jute.OpCreate, Path: "/a/1"}); out.Err != 0 {
		t.Errorf("broken stats: got %v, want ok", out.Err)
	}
	if got := b.used("/a"); got != "count=many" {
		t.Errorf("broken stats: got %s, want them left alone", got)
	}
	b.at(1, Request{Op: jute.OpDelete, Path: jute.QuotaPath + "/a" + statsName})
	if out := b.at(1, Request{Op: jute.OpCreate, Path: "/a/2"}); out.Err != 0 {
		t.Errorf("no stats: got %v, want ok", out.Err)
	}
	b.at(1, Request{Op: jute.OpCreate, Path: jute.QuotaPath + "/a" + statsName})
	if got, want := b.used("/a"), "count=3,bytes=0"; got != want {
		t.Errorf("stats created anew: got %s, want %s", got, want)
	}
	b.at(1, Request{Op: jute.OpSetData, Path: jute.QuotaPath + "/a" + limitsName, Data: []byte("count=x")})
	if out := b.at(1, Request{Op: jute.OpCreate, Path: "/a/3"}); out.Err != 0 {
		t.Errorf("broken limits: got %v, want ok", out.Err)
	}
}

// The ephemeral nodes of a session come off the quotas that they fall under.
func TestQuotaOfClosedSession(t *testing.T) {
	b := begun()
	b.Do(&Request{Op: OpOpenSession, Session: 2, Version: 1000}, b.Zxid()+1, 1)
	for _, path := range []string{"/a", "/b"} {
		b.at(1, Request{Op: jute.OpCreate, Path: path})
		b.setQuota(path, "count=9,bytes=9")
	}
	for _, path := range []string{"/a/1", "/b/1", "/a/2", "/c"} {
		r := Request{Op: jute.OpCreate, Session: 2, ACL: WorldAnyone(), Path: path, Flags: 1, Data: []byte("12")}
		b.Do(&r, b.Zxid()+1, 1)
	}
	if got := b.used("/a") + " " + b.used("/b"); got != "count=3,bytes=4 count=2,bytes=2" {
		t.Errorf("before: got %s", got)
	}
	b.Do(&Request{Op: jute.OpCloseSession, Session: 2}, b.Zxid()+1, 1)
	if got := b.used("/a") + " " + b.used("/b"); got != "count=1,bytes=0 count=1,bytes=0" {
		t.Errorf("after: got %s, want none left", got)
	}
}
