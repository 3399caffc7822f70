// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// args are the arguments of a command: "key=value", and the others in order.
type args struct {
	list []string
	keys map[string]string
}

// splitWords splits at spaces; a word in quotes, or the value of a key in
// quotes, is a Go string.
func splitWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexByte(line, ' ')
		if q := strings.IndexByte(line, '"'); q >= 0 && (end < 0 || q < end) {
			quoted, err := strconv.QuotedPrefix(line[q:])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			value, _ := strconv.Unquote(quoted)
			words = append(words, line[:q]+value)
			line = line[q+len(quoted):]
			continue
		}
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words
}

func (p *player) parse(words []string) args {
	a := args{keys: map[string]string{}}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok && k != "" && !strings.ContainsAny(k, "/") {
			a.keys[k] = v
		} else {
			a.list = append(a.list, w)
		}
	}
	return a
}

// path returns an argument as a path of the scenario: "." is its base, and what
// stands behind "=" is taken as it is.
func (p *player) path(word string) string {
	if raw, ok := strings.CutPrefix(word, "="); ok {
		return raw
	}
	if word == "." {
		return p.base
	}
	return p.base + word
}

func (p *player) paths(list string) []string {
	out := []string{}
	if list == "" {
		return out
	}
	for w := range strings.SplitSeq(list, ",") {
		out = append(out, p.path(w))
	}
	return out
}

func (a args) number(t *testing.T, key string, def int32) int32 {
	t.Helper()
	s, ok := a.keys[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

func (a args) long(t *testing.T, key string) int64 {
	t.Helper()
	s, ok := a.keys[key]
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// orNull replaces the path of a request, which begins with it, by null where the
// argument says so.
func (p *player) orNull(a args, r jute.Record) jute.Record {
	if len(a.list) == 0 || a.list[0] != "null" {
		return r
	}
	const size = 4 // of a length
	path := len(p.path(a.list[0]))
	b := jute.AppendInt(nil, -1)
	return raw(append(b, r.Append(nil)[size+path:]...))
}

func (a args) data() []byte { return bytesOrNull(a.keys["data"]) }

func bytesOrNull(s string) []byte {
	if s == "null" {
		return nil
	}
	return []byte(s)
}

// acl reads "31/world/anyone,1/ip/127.0.0.1". Default: everything for everybody;
// "none" is the empty list, "null" none at all.
func (a args) acl(t *testing.T) []jute.ACL {
	t.Helper()
	s, ok := a.keys["acl"]
	switch {
	case !ok:
		return jute.WorldAnyone()
	case s == "none":
		return []jute.ACL{}
	case s == "null":
		return nil
	}
	var list []jute.ACL
	for e := range strings.SplitSeq(s, ",") {
		parts := strings.SplitN(e, "/", 3)
		perms, err := strconv.ParseInt(parts[0], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, jute.ACL{Perms: int32(perms), Scheme: parts[1], ID: parts[2]})
	}
	return list
}

// request makes the request of a command.
func (p *player) request(verb string, a args) (jute.OpCode, jute.Record) {
	p.t.Helper()
	path := ""
	if len(a.list) > 0 {
		path = p.path(a.list[0])
	}
	node := &jute.CreateRequest{Path: path, Data: a.data(), ACL: a.acl(p.t), Flags: a.number(p.t, "flags", 0)}
	version := a.number(p.t, "v", -1)
	read := &jute.PathWatchRequest{Path: path, Watch: a.keys["watch"] != ""}
	mode := &jute.PathModeRequest{Path: path, Mode: a.number(p.t, "mode", 0)}
	if frame := a.number(p.t, "frame", 0); frame > 0 { // so long it is to be, with its header
		node.Data = bytes.Repeat([]byte("d"), int(frame)-jute.RequestHeaderSize-len(node.Append(nil)))
	}
	switch verb {
	case "op": // any operation, with any body
		code, err := strconv.ParseInt(a.list[0], 10, 32)
		if err != nil {
			p.t.Fatal(err)
		}
		return jute.OpCode(code), raw(a.keys["body"])
	case "createcontainer":
		return jute.OpCreateContainer, node
	case "createttl":
		return jute.OpCreateTTL, &jute.CreateTTLRequest{CreateRequest: *node, TTLMillis: a.long(p.t, "ttl")}
	case "checkwatches":
		return jute.OpCheckWatches, mode
	case "ephemerals":
		return jute.OpGetEphemerals, &jute.Path{Path: path}
	case "count":
		return jute.OpGetAllChildrenNumber, &jute.Path{Path: path}
	case "whoami":
		return jute.OpWhoAmI, &jute.Empty{}
	case "sasl":
		return jute.OpSASL, &jute.SASLToken{Token: []byte(a.list[0])}
	case "reconfig":
		return jute.OpReconfig, &jute.ReconfigRequest{
			Joining: a.keys["joining"], Leaving: a.keys["leaving"], NewMembers: a.keys["members"], ConfigID: a.long(p.t, "id"),
		}
	case "multiread":
		return jute.OpMultiRead, nil
	case "create":
		return jute.OpCreate, node
	case "create2":
		return jute.OpCreate2, node
	case "delete":
		return jute.OpDelete, &jute.PathVersionRequest{Path: path, Version: version}
	case "check":
		return jute.OpCheck, &jute.PathVersionRequest{Path: path, Version: version}
	case "set":
		return jute.OpSetData, &jute.SetDataRequest{Path: path, Data: a.data(), Version: version}
	case "exists":
		return jute.OpExists, read
	case "get":
		return jute.OpGetData, read
	case "children":
		return jute.OpGetChildren, read
	case "children2":
		return jute.OpGetChildren2, read
	case "getacl":
		return jute.OpGetACL, &jute.Path{Path: path}
	case "setacl":
		return jute.OpSetACL, &jute.SetACLRequest{Path: path, ACL: a.acl(p.t), Version: version}
	case "sync":
		return jute.OpSync, &jute.Path{Path: path}
	case "addwatch":
		return jute.OpAddWatch, mode
	case "removewatches":
		return jute.OpRemoveWatches, mode
	case "setwatches", "setwatches2":
		return p.setWatches(verb, a)
	case "auth":
		return jute.OpAuth, &jute.AuthRequest{Scheme: a.list[0], Auth: bytesOrNull(a.list[1])}
	case "close":
		return jute.OpCloseSession, &jute.Empty{}
	case "events", "ping":
		return jute.OpPing, &jute.Empty{}
	case "multi":
		return jute.OpMulti, nil
	}
	p.t.Fatalf("unknown command %q", verb)
	return 0, nil
}

// setWatches is relative to the zxid seen last, to 0 ("since=0") or to a later
// one than there is ("since=future").
func (p *player) setWatches(verb string, a args) (jute.OpCode, jute.Record) {
	since := p.zxid
	switch a.keys["since"] {
	case "0":
		since = 0
	case "future":
		since = math.MaxInt64
	}
	r := jute.SetWatchesRequest{
		RelativeZxid: since,
		Data:         p.paths(a.keys["data"]), Exist: p.paths(a.keys["exist"]), Child: p.paths(a.keys["child"]),
	}
	if verb == "setwatches" {
		return jute.OpSetWatches, &r
	}
	return jute.OpSetWatches2, &jute.SetWatches2Request{
		SetWatchesRequest: r,
		Persistent:        p.paths(a.keys["persistent"]), PersistentRecursive: p.paths(a.keys["recursive"]),
	}
}

// multi makes the request of a multi and of a multiRead, which look alike.
func (p *player) multi(lines []string) jute.Record {
	p.t.Helper()
	var r jute.MultiRequest
	for _, line := range lines {
		words := splitWords(p.t, line)
		a := p.parse(words[1:])
		op, req := p.request(words[0], a)
		r.Ops = append(r.Ops, jute.MultiOp{Op: op, Request: p.orNull(a, req)})
	}
	return &r
}
