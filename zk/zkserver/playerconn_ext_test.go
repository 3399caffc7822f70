// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// connSteps are the commands that are not requests.
var connSteps = map[string]func(p *player, name string, a args, lines []string) []string{
	"dial":     (*player).dial,
	"connect":  (*player).connect,
	"reattach": (*player).reattach,
	"send":     (*player).send,
	"pipeline": (*player).pipeline,
	"frame":    (*player).frame,
	"zxids":    (*player).zxids,
	"wait":     (*player).wait,
	"drop":     (*player).drop,
	"restart":  (*player).restartServer,
	"eof":      (*player).eof,
	"word":     (*player).word,
}

// reopens are those for which a connection may have ended before.
var reopens = map[string]bool{"dial": true, "connect": true, "reattach": true}

// dial connects without a handshake. Who is cut off at once has an ended
// connection, whether he learns of it here or later.
func (p *player) dial(name string, _ args, _ []string) []string {
	var d net.Dialer
	nc, err := d.DialContext(p.t.Context(), "tcp", p.addr)
	if err != nil {
		p.known[name] = &rawConn{t: p.t}
		return nil
	}
	p.t.Cleanup(func() { nc.Close() })
	p.add(name, &rawConn{t: p.t, nc: nc})
	return nil
}

// connect sends a handshake, on a new connection if there is none, and in the
// same write the requests below it; "bytewise=1": byte by byte. It asks for
// timeout=, version=, session= of a connection or "unknown", password= "wrong",
// "null" or the bytes, zxid= "last" or "future", readonly= "no" for the frame
// without the flag or "true". With "retry=1" it tries until it is let in.
func (p *player) connect(name string, a args, lines []string) []string {
	p.t.Helper()
	for begin := time.Now(); ; {
		if p.conns[name] == nil {
			p.dial(name, a, nil)
		}
		out := []string{"end of connection"}
		if p.conns[name] != nil {
			out = p.tryConnect(name, a, lines)
		}
		if p.conns[name] != nil || a.keys["retry"] == "" || time.Since(begin) > frameWait {
			return out
		}
	}
}

func (p *player) tryConnect(name string, a args, lines []string) []string {
	p.t.Helper()
	r := p.connectRequest(a)
	c := p.conns[name]
	reqs, b := p.asks(c, lines)
	b = append(jute.AppendFrame(nil, r.Append), b...)
	step := len(b)
	if a.keys["bytewise"] != "" {
		step = 1
	}
	for ; len(b) > 0; b = b[step:] {
		p.write(name, b[:step])
	}
	frame := p.next(name)
	if frame == nil {
		return []string{"end of connection"}
	}
	var resp jute.ConnectResponse
	d := jute.NewDecoder(frame)
	resp.Decode(&d)
	if d.Err() != nil || resp.SessionID == 0 {
		return []string{"no session: " + hex.EncodeToString(frame)}
	}
	kind := "new"
	if resp.SessionID == r.SessionID && bytes.Equal(resp.Password, r.Password) {
		kind = "same"
	}
	c.id, c.password = resp.SessionID, bytes.Clone(resp.Password)
	p.add(name, c)
	out := fmt.Sprintf("%s session: version=%d timeout=%d password=%d bytes readonly=%t, in all %d bytes",
		kind, resp.ProtocolVersion, resp.TimeoutMillis, len(resp.Password), resp.ReadOnly, len(frame))
	return append([]string{out}, p.replies(name, reqs)...)
}

func (p *player) connectRequest(a args) *jute.ConnectRequest {
	p.t.Helper()
	r := &jute.ConnectRequest{
		ProtocolVersion: a.number(p.t, "version", 0),
		TimeoutMillis:   a.number(p.t, "timeout", int32(sessionTimeout.Milliseconds())),
		Password:        make([]byte, jute.PasswordSize),
		HasReadOnly:     a.keys["readonly"] != "no",
		ReadOnly:        a.keys["readonly"] == "true",
	}
	if of := p.known[a.keys["session"]]; of != nil {
		r.SessionID, r.Password = of.id, of.password
	} else if a.keys["session"] != "" {
		r.SessionID = 0x1234
	}
	switch password, ok := a.keys["password"]; {
	case !ok:
	case password == "null":
		r.Password = nil
	case password == "wrong":
		r.Password = make([]byte, jute.PasswordSize)
	default:
		r.Password = []byte(password)
	}
	switch a.keys["zxid"] {
	case "last":
		r.LastZxidSeen = p.zxid
	case "future":
		r.LastZxidSeen = math.MaxInt64
	}
	return r
}

// asks makes the frames of several requests.
func (p *player) asks(c *rawConn, lines []string) (reqs []asked, b []byte) {
	p.t.Helper()
	for _, line := range lines {
		words := splitWords(p.t, line)
		req, frame := p.ask(c, words[0], p.parse(words[1:]), nil)
		reqs, b = append(reqs, req), append(b, frame...)
	}
	return reqs, b
}

// pipeline sends the requests below it in one write.
func (p *player) pipeline(name string, _ args, lines []string) []string {
	p.t.Helper()
	reqs, b := p.asks(p.conn(name), lines)
	p.write(name, b)
	return p.replies(name, reqs)
}

// reattach connects anew to the session of the named connection.
func (p *player) reattach(name string, a args, _ []string) []string {
	p.t.Helper()
	of := p.known[a.list[0]]
	n, resp := of.reattach(p.addr)
	p.add(name, n)
	return []string{fmt.Sprintf("same session: %t", resp.SessionID == of.id)}
}

// send sends bytes as they are.
func (p *player) send(name string, a args, _ []string) []string {
	p.t.Helper()
	p.conn(name)
	p.write(name, []byte(a.list[0]))
	return nil
}

// zxids tells how many zxids were used since it was asked last.
func (p *player) zxids(name string, _ args, _ []string) []string {
	p.t.Helper()
	c, before := p.conn(name), p.counted
	p.counted = c.must(jute.OpSync, &jute.Path{Path: "/"}, nil).Zxid
	if before == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d zxids", p.counted-before)}
}

// frame tells how long the next frame is.
func (p *player) frame(name string, _ args, _ []string) []string {
	p.t.Helper()
	b := p.next(name)
	if b == nil {
		return []string{"end of connection"}
	}
	return []string{fmt.Sprintf("frame of %d bytes", len(b))}
}

// wait waits for an event. With "least=N since=a" it must not come before so many
// ms have passed since that connection has sent something.
func (p *player) wait(name string, a args, _ []string) []string {
	p.t.Helper()
	b := p.next(name)
	if b == nil {
		return []string{"end of connection"}
	}
	m := parseMessage(p.t, b)
	return []string{p.event(&m, a.keys["header"]) + p.notBefore(a)}
}

// restartServer ends the server and starts it again on its data; the name is of no
// connection.
func (p *player) restartServer(string, args, []string) []string {
	p.addr = p.restart()
	return nil
}

// eof waits for the end of the connection, like wait.
func (p *player) eof(name string, a args, _ []string) []string {
	p.t.Helper()
	if b := p.next(name); b != nil {
		return []string{"frame " + hex.EncodeToString(b)}
	}
	return []string{"end of connection" + p.notBefore(a)}
}

func (p *player) notBefore(a args) string {
	p.t.Helper()
	least := time.Duration(a.number(p.t, "least", 0)) * time.Millisecond
	if least == 0 {
		return ""
	}
	if took := time.Since(p.sent[a.keys["since"]]); took < least {
		return fmt.Sprintf(", %v early", least-took)
	}
	return ", in time"
}

// drop cuts the connection; the session lives on.
func (p *player) drop(name string, _ args, _ []string) []string {
	p.conn(name).nc.Close()
	delete(p.conns, name)
	return nil
}

// end closes the sessions, so that nothing of theirs is left on the server.
func (p *player) end() {
	for _, c := range p.conns {
		if c.id != 0 {
			c.nc.Write(request(1, jute.OpCloseSession, &jute.Empty{})) //nolint:errcheck // the server may have closed it already
			c.nc.SetReadDeadline(time.Now().Add(frameWait))            //nolint:errcheck // it shows in the next read
			io.Copy(io.Discard, c.nc)                                  //nolint:errcheck // it ends when the connection does
		}
		c.nc.Close()
	}
}

// word sends a four-letter word on a connection of its own and tells the first line
// of the answer, without the numbers.
func (p *player) word(_ string, a args, _ []string) []string {
	p.t.Helper()
	first, _, _ := strings.Cut(word(p.t, p.addr, a.list[0]), "\n")
	first, _, _ = strings.Cut(first, ": 3.")
	return []string{first}
}
