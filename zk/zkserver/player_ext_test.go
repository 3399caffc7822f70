// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A place is a server to play on.
type place struct {
	addr    string
	restart func() (addr string) // of the process, on the same data
}

// A player plays a scenario on one server.
type player struct {
	t *testing.T
	place
	base  string               // the node that the scenario's paths are below
	conns map[string]*rawConn  // open ones
	known map[string]*rawConn  // all that there were, by name
	names map[int64]string     // of connections by session
	sent  map[string]time.Time // when a connection sent something last
	zxid  int64                // the last seen
	// counted is the last zxid when zxids were counted.
	counted int64
	slowest time.Duration // of the steps that wait for nothing but an answer
}

// sessionTimeout is what connections ask for if they say nothing else: the
// longest that Apache ZooKeeper grants here, for a machine may be slow.
const sessionTimeout = 10 * time.Second

// runScenario plays a scenario and returns what each step was answered, and how
// long the slowest took.
func runScenario(t *testing.T, sc *scenario, at place) (answers [][]string, slowest time.Duration) {
	t.Helper()
	p := &player{
		t: t, place: at, base: sc.base(), conns: map[string]*rawConn{}, known: map[string]*rawConn{},
		names: map[int64]string{}, sent: map[string]time.Time{},
	}
	if !strings.HasPrefix(sc.name(), "0raw") {
		p.conn("base").create(p.base, 0)
	}
	all := make([][]string, len(sc.steps))
	for i, st := range sc.steps {
		begin := time.Now()
		all[i] = p.step(st.lines)
		if !st.waits() {
			p.slowest = max(p.slowest, time.Since(begin))
		}
	}
	p.end()
	rankZxids(all)
	return all, p.slowest
}

func (p *player) conn(name string) *rawConn {
	c := p.conns[name]
	if c == nil {
		c = open(p.t, p.addr, sessionTimeout)
		p.add(name, c)
	}
	return c
}

func (p *player) add(name string, c *rawConn) {
	p.conns[name], p.known[name] = c, c
	if c.id != 0 {
		p.names[c.id] = name
	}
}

func (p *player) step(lines []string) []string {
	p.t.Helper()
	words := splitWords(p.t, lines[0])
	name, verb := words[0], words[1]
	a := p.parse(words[2:])
	if p.conns[name] == nil && p.known[name] != nil && !reopens[verb] {
		return []string{"end of connection"}
	}
	if step := connSteps[verb]; step != nil {
		return step(p, name, a, lines[1:])
	}
	c := p.conn(name)
	req, frame := p.ask(c, verb, a, lines[1:])
	p.write(name, frame)
	return p.replies(name, []asked{req})
}

// An asked is a request whose reply is waited for.
type asked struct {
	verb   string
	op     jute.OpCode
	xid    int32  // of the reply
	header string // "1": the header is told, too; "zxid": with the rank of its zxid; "events": those of events, too
}

// ask makes the frame of a command. Whatever the command is, "xid=N" gives its
// xid, "cut=N" leaves out the last bytes, "tail=" adds some, and "header=" asks
// for headers.
func (p *player) ask(c *rawConn, verb string, a args, lines []string) (asked, []byte) {
	p.t.Helper()
	op, r := p.request(verb, a)
	if op == jute.OpMulti || op == jute.OpMultiRead {
		r = p.multi(lines)
	}
	body := p.orNull(a, r).Append(nil)
	body = append(body[:len(body)-int(a.number(p.t, "cut", 0))], a.keys["tail"]...)
	xid := a.number(p.t, "xid", jute.XidPing)
	if a.keys["xid"] == "" && op != jute.OpPing {
		c.xid++
		xid = c.xid
	}
	req := asked{verb: verb, op: op, xid: xid, header: a.keys["header"]}
	if op == jute.OpPing {
		req.xid = jute.XidPing
	}
	return req, request(xid, op, raw(body))
}

func (p *player) write(name string, b []byte) {
	p.t.Helper()
	p.sent[name] = time.Now()
	p.conns[name].nc.Write(b) //nolint:errcheck // what has happened is seen by who reads
}

// next reads a frame, and returns nil at the end of the connection.
func (p *player) next(name string) []byte {
	p.t.Helper()
	b, err := p.conns[name].next()
	if err == nil {
		return b
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		p.t.Fatalf("%s: nothing came for %v", name, frameWait)
	}
	p.conns[name].nc.Close()
	delete(p.conns, name)
	return nil
}

// replies tells what comes back until the last request is answered: events and
// replies, in their order.
func (p *player) replies(name string, reqs []asked) (out []string) {
	p.t.Helper()
	for len(reqs) > 0 {
		b := p.next(name)
		if b == nil {
			return append(out, "end of connection")
		}
		m := parseMessage(p.t, b)
		if m.Xid == jute.XidNotification {
			out = append(out, p.event(&m, reqs[0].header))
			continue
		}
		for len(reqs) > 0 && m.Xid != reqs[0].xid { // the reply of a later request
			out, reqs = append(out, "no answer"), reqs[1:]
		}
		if len(reqs) == 0 {
			p.t.Fatalf("got a reply with xid %d that nobody asked for", m.Xid)
		}
		out, reqs = append(out, p.reply(&reqs[0], &m)...), reqs[1:]
	}
	return out
}

// event tells a notification, with its header if it is asked for.
func (p *player) event(m *message, header string) string {
	p.t.Helper()
	e := m.event(p.t)
	out := fmt.Sprintf("event %v %s", e.Type, p.strip(e.Path))
	if header == "events" {
		out += fmt.Sprintf(" xid=%d zxid=%s err=%d state=%d", m.Xid, zxidText(m.Zxid, header), m.Err, e.State)
	}
	return out
}

// zxidText tells a zxid by rank, or only whether there is one: the last zxid of a
// server is not the scenario's own.
func zxidText(zxid int64, header string) string {
	switch {
	case zxid <= 0:
		return strconv.FormatInt(zxid, 10)
	case header == "1":
		return "some"
	}
	return fmt.Sprintf("{z:%d}", zxid)
}

func (p *player) reply(req *asked, m *message) (out []string) {
	p.t.Helper()
	if m.Zxid > 0 {
		if m.Zxid < p.zxid {
			p.t.Errorf("%s: zxid 0x%x after 0x%x", req.verb, m.Zxid, p.zxid)
		}
		p.zxid = m.Zxid
	}
	if req.header != "" {
		out = append(out, fmt.Sprintf("xid=%d zxid=%s", m.Xid, zxidText(m.Zxid, req.header)))
	}
	switch {
	case req.verb == "events":
		return append(out, "end of events")
	case m.Err != 0 && len(m.body) > 0:
		return append(out, fmt.Sprintf("%v and %d bytes", m.Err, len(m.body)))
	case m.Err != 0:
		return append(out, m.Err.String())
	}
	return append(out, p.answer(req.op, m)...)
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
	if s := string(b); len(s) > maxShown && strings.Trim(s, s[:1]) == "" {
		return fmt.Sprintf("%d times %q", len(s), s[:1])
	}
	return strconv.Quote(string(b))
}

// maxShown is how many bytes of data that are all the same are told in full.
const maxShown = 200

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
	case *jute.ErrorResponse:
		return []string{fmt.Sprintf("ok %d", int32(r.Err))}
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
