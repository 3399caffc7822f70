// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"container/list"
	"crypto/subtle"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

const (
	// freeGuesses are what an address may say wrong, or for the first time, before
	// it has to wait; each guessPause one more is free.
	freeGuesses = 64
	guessPause  = 100 * time.Millisecond
	// longestGuess bounds how long a connection waits, so that what is right is
	// heard behind any number of guesses.
	longestGuess = 2 * time.Second
	// maxGuessers bounds the addresses that are remembered.
	maxGuessers = 4096
)

// guesses are what addresses have said to prove who they are. In ZooKeeper every
// pair of user and password proves something, so that whether one was a guess
// shows only when it opens a node. Therefore what an address says for the first time
// counts as a guess, right or wrong: who gives the answers away slowly, but the right
// one at once, gives it to whom does not wait for the others.
//
// What an address has said before is free, so that clients that come back with their
// own credentials do not wait, whatever else comes from there.
type guesses struct {
	seed maphash.Seed

	mu     sync.Mutex // guards what follows
	hosts  map[string]*list.Element
	recent list.List // of *guesser, the latest first
}

// A guesser is an address: of IPv6 the first 64 bits, for one machine has all of
// the others.
type guesser struct {
	host  string
	paid  time.Time // when the last guess is paid for
	known []uint64  // what it has said while it had free guesses, the latest first
}

func (g *guesses) init() {
	g.seed = maphash.MakeSeed()
	g.hosts = map[string]*list.Element{}
}

// take notes that an address says something, now, and returns how long the answer
// must wait. What is known of it costs nothing; 0 is never known.
func (g *guesses) take(host string, said uint64, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.guesser(host)
	if i := slices.Index(a.known, said); i >= 0 {
		copy(a.known[1:], a.known[:i])
		a.known[0] = said
		return 0
	}
	if begin := now.Add(-freeGuesses * guessPause); a.paid.Before(begin) {
		a.paid = begin
	}
	a.paid = a.paid.Add(guessPause)
	if last := now.Add(longestGuess); a.paid.After(last) {
		a.paid = last
	}
	wait := a.paid.Sub(now)
	if wait <= 0 && said != 0 {
		if len(a.known) < freeGuesses {
			a.known = append(a.known, 0)
		}
		copy(a.known[1:], a.known)
		a.known[0] = said
	}
	return max(wait, 0)
}

// guesser returns the entry of an address. Called with mu held.
func (g *guesses) guesser(host string) *guesser {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = netip.PrefixFrom(ip, 64).Masked().String()
	}
	if e := g.hosts[host]; e != nil {
		g.recent.MoveToFront(e)
		return e.Value.(*guesser)
	}
	if g.recent.Len() >= maxGuessers {
		oldest := g.recent.Back()
		delete(g.hosts, g.recent.Remove(oldest).(*guesser).host)
	}
	a := &guesser{host: host}
	g.hosts[host] = g.recent.PushFront(a)
	return a
}

// digest returns what stands for an authentication among what is known.
func (g *guesses) digest(r *jute.AuthRequest) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	h.WriteString(r.Scheme)
	h.WriteByte(0)
	h.Write(r.Auth)
	return max(h.Sum64(), 1)
}

// guess has an authentication wait for its turn, before anybody looks at it, and
// reports whether the connection lives on.
func (c *conn) guess(r *jute.AuthRequest) bool {
	if r.Scheme == tree.SchemeIP { // it says nothing
		return true
	}
	s := c.srv
	if s.isWrongSuper(r) {
		s.wrongPassword(c, "super")
	}
	return c.wait(s.guesses.take(c.host, s.guesses.digest(r), time.Now()))
}

// isWrongSuper reports whether somebody calls himself the one who may do everything
// and has not his password.
func (s *Server) isWrongSuper(r *jute.AuthRequest) bool {
	super := s.opts.SuperDigest
	user, _, _ := strings.Cut(super, ":")
	rest, ok := strings.CutPrefix(string(r.Auth), user)
	if super == "" || r.Scheme != tree.SchemeDigest || !ok || rest != "" && rest[0] != ':' {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(Digest(r.Auth)), []byte(super)) != 1
}

// guessSession is for a connection that has asked for a session that lives, without
// its password. Nobody finds one of 16 bytes by guessing, so that the right one is
// answered at once.
func (c *conn) guessSession() {
	c.srv.wrongPassword(c, "session")
	c.wait(c.srv.guesses.take(c.host, 0, time.Now()))
}

func (s *Server) wrongPassword(c *conn, of string) {
	s.stats.wrongPasswords.Add(1)
	s.log.Warn("wrong password", slog.String("of", of), slog.String("address", addressOf(c.nc.RemoteAddr())))
}

// wait rests for a while and reports whether the connection lives on. Meanwhile it is
// one of those that give way to newcomers, and its session does not age. Like that
// of a handshake the time is the network's own.
func (c *conn) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	s := c.srv
	s.stats.slowed.Add(1)
	s.log.Warn("an address authenticates as many users, or guesses passwords: it has to wait",
		slog.String("address", addressOf(c.nc.RemoteAddr())), slog.Duration("wait", d))
	if c.session != nil {
		c.session.touched.Store(s.sessionNow() + int64(d))
	}
	c.out.flush()
	s.mu.Lock()
	if s.conns[c] != nil && c.silent == nil {
		c.silent = s.silent.PushBack(c)
	}
	s.mu.Unlock()
	defer s.heard(c)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.out.awaitable():
		return false
	}
}
