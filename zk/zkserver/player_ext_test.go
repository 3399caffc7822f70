// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A player plays a scenario on one server.
type player struct {
	t     *testing.T
	addr  string
	base  string // the node that the scenario's paths are below
	conns map[string]*rawConn
	names map[int64]string // of connections by session
	zxid  int64            // the last seen
}

// runScenario plays a scenario and returns what each step was answered.
func runScenario(t *testing.T, sc *scenario, addr string) [][]string {
	t.Helper()
	p := &player{t: t, addr: addr, base: "/" + sc.name(), conns: map[string]*rawConn{}, names: map[int64]string{}}
	if !strings.HasPrefix(sc.name(), "0raw") {
		p.conn("base").create(p.base, 0)
	}
	all := make([][]string, len(sc.steps))
	for i, st := range sc.steps {
		all[i] = p.step(st.lines)
	}
	for _, c := range p.conns {
		_ = c.nc.Close()
	}
	rankZxids(all)
	return all
}

func (p *player) conn(name string) *rawConn {
	c := p.conns[name]
	if c == nil {
		c = open(p.t, p.addr, 5*time.Second)
		p.add(name, c)
	}
	return c
}

func (p *player) add(name string, c *rawConn) {
	p.conns[name] = c
	p.names[c.id] = name
}

func (p *player) step(lines []string) []string {
	p.t.Helper()
	words := splitWords(p.t, lines[0])
	name, verb := words[0], words[1]
	a := p.parse(words[2:])
	switch verb {
	case "drop":
		_ = p.conn(name).nc.Close()
		delete(p.conns, name)
		return nil
	case "reattach": // of the session of the named connection, which becomes this one
		n, resp := p.conn(a.list[0]).reattach(p.addr)
		p.add(name, n)
		return []string{fmt.Sprintf("same session: %t", resp.SessionID == p.conn(a.list[0]).id)}
	case "wait": // for an event
		m := p.conn(name).message()
		e := m.event(p.t)
		return []string{fmt.Sprintf("event %v %s", e.Type, p.strip(e.Path))}
	case "eof":
		p.conn(name).wantEOF()
		delete(p.conns, name)
		return []string{"end of connection"}
	}
	op, r := p.request(verb, a)
	if verb == "multi" || verb == "multiread" {
		r = p.multi(lines[1:])
	}
	return p.exchange(p.conn(name), verb, op, r)
}

// exchange sends a request and tells what came back: events, then the reply.
func (p *player) exchange(c *rawConn, verb string, op jute.OpCode, r jute.Record) []string {
	p.t.Helper()
	xid := c.xid + 1
	switch verb {
	case "events":
		xid = jute.XidPing
	default:
		c.xid++
	}
	c.write(request(xid, op, r))
	var out []string
	for {
		m := c.message()
		if m.Xid == jute.XidNotification {
			e := m.event(p.t)
			out = append(out, fmt.Sprintf("event %v %s", e.Type, p.strip(e.Path)))
			continue
		}
		if m.Xid != xid {
			p.t.Fatalf("%s: got xid %d, want %d", verb, m.Xid, xid)
		}
		if m.Zxid > 0 {
			if m.Zxid < p.zxid {
				p.t.Errorf("%s: zxid 0x%x after 0x%x", verb, m.Zxid, p.zxid)
			}
			p.zxid = m.Zxid
		}
		if verb == "events" {
			return append(out, "end of events")
		}
		if m.Err != 0 {
			return append(out, m.Err.String())
		}
		return append(out, p.answer(op, &m)...)
	}
}

var zxidMark = regexp.MustCompile(`\{z:(-?\d+)\}`)

// rankZxids replaces each zxid by its place among all that were seen.
func rankZxids(all [][]string) {
	var seen []int64
	each := func(f func(m string, z int64) string) {
		for _, lines := range all {
			for i, line := range lines {
				lines[i] = zxidMark.ReplaceAllStringFunc(line, func(m string) string {
					z, _ := strconv.ParseInt(m[3:len(m)-1], 10, 64)
					return f(m, z)
				})
			}
		}
	}
	each(func(m string, z int64) string { seen = append(seen, z); return m })
	slices.Sort(seen)
	seen = slices.Compact(seen)
	if len(seen) > 0 && seen[0] != 0 {
		seen = slices.Insert(seen, 0, 0)
	}
	each(func(_ string, z int64) string { return strconv.Itoa(slices.Index(seen, z)) })
}

func (p *player) stat(s *jute.Stat) string {
	owner := "-"
	if s.EphemeralOwner != 0 {
		owner = p.names[s.EphemeralOwner]
	}
	times := "created"
	switch {
	case s.Ctime == 0 && s.Mtime == 0:
		times = "never"
	case s.Mtime > s.Ctime:
		times = "changed"
	}
	if s.Mtime == s.Ctime && s.Mzxid != s.Czxid {
		times = "changed" // within the same ms
	}
	return fmt.Sprintf("cz={z:%d} mz={z:%d} pz={z:%d} v=%d cv=%d av=%d owner=%s len=%d children=%d %s",
		s.Czxid, s.Mzxid, s.Pzxid, s.Version, s.Cversion, s.Aversion, owner, s.DataLength, s.NumChildren, times)
}

func (p *player) strip(path string) string {
	if rest, ok := strings.CutPrefix(path, p.base); ok {
		if rest == "" {
			return "."
		}
		return strconv.QuoteToASCII(rest)
	}
	return "=" + strconv.QuoteToASCII(path)
}

func data(b []byte) string {
	if b == nil {
		return "null"
	}
	return strconv.Quote(string(b))
}

func aclText(list []jute.ACL) string {
	parts := make([]string, len(list))
	for i, a := range list {
		parts[i] = fmt.Sprintf("%d/%s/%s", a.Perms, a.Scheme, a.ID)
	}
	return strings.Join(parts, ",")
}

// answer tells the body of a reply.
func (p *player) answer(op jute.OpCode, m *message) []string {
	p.t.Helper()
	row, ok := jute.Lookup(op)
	if !ok {
		return []string{"ok"}
	}
	body := row.NewResponse()
	m.decode(p.t, body)
	switch r := body.(type) {
	case *jute.Path:
		return []string{"ok " + p.strip(r.Path)}
	case *jute.Create2Response:
		return []string{"ok " + p.strip(r.Path), p.stat(&r.Stat)}
	case *jute.Stat:
		return []string{"ok " + p.stat(r)}
	case *jute.GetDataResponse:
		return []string{"ok " + data(r.Data), p.stat(&r.Stat)}
	case *jute.GetACLResponse:
		return []string{"ok " + aclText(r.ACL), p.stat(&r.Stat)}
	case *jute.GetChildrenResponse:
		slices.Sort(r.Children)
		return []string{fmt.Sprintf("ok %q", r.Children)}
	case *jute.GetChildren2Response:
		slices.Sort(r.Children)
		return []string{fmt.Sprintf("ok %q", r.Children), p.stat(&r.Stat)}
	case *jute.GetEphemeralsResponse:
		slices.Sort(r.Ephemerals)
		for i, path := range r.Ephemerals {
			r.Ephemerals[i] = p.strip(path)
		}
		return []string{fmt.Sprintf("ok %s", r.Ephemerals)}
	case *jute.GetAllChildrenNumberResponse:
		return []string{fmt.Sprintf("ok %d", r.Total)}
	case *jute.WhoAmIResponse:
		return []string{"ok " + whoText(r.Clients)}
	case *jute.SASLToken:
		return []string{"ok " + data(r.Token)}
	case *jute.MultiResponse:
		return p.multiAnswer(r)
	case *jute.MultiReadResponse:
		return p.multiReadAnswer(r)
	}
	return []string{"ok"}
}

func whoText(list []jute.ClientInfo) string {
	parts := make([]string, len(list))
	for i, c := range list {
		parts[i] = c.Scheme + ":" + strconv.Quote(c.User)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func (p *player) multiReadAnswer(r *jute.MultiReadResponse) []string {
	out := []string{"ok"}
	for _, res := range r.Results {
		switch res.Op {
		case jute.OpGetData:
			out = append(out, "get "+data(res.Data)+" "+p.stat(&res.Stat))
		case jute.OpGetChildren:
			slices.Sort(res.Children)
			out = append(out, fmt.Sprintf("children %q", res.Children))
		default:
			out = append(out, res.Err.String())
		}
	}
	return out
}

func (p *player) multiAnswer(r *jute.MultiResponse) []string {
	out := []string{"ok"}
	for _, res := range r.Results {
		switch res.Op {
		case jute.OpError:
			out = append(out, res.Err.String())
		case jute.OpCreate:
			out = append(out, "create "+p.strip(res.Path))
		case jute.OpCreate2:
			out = append(out, "create2 "+p.strip(res.Path)+" "+p.stat(&res.Stat))
		case jute.OpSetData:
			out = append(out, "set "+p.stat(&res.Stat))
		default:
			out = append(out, res.Op.String())
		}
	}
	return out
}
