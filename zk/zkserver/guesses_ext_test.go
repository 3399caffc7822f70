// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// auth authenticates and returns how long that took. The connection may have ended.
func auth(c *rawConn, data string) (time.Duration, error) {
	begun := time.Now()
	if _, err := c.nc.Write(request(jute.XidAuth, jute.OpAuth, &jute.AuthRequest{Scheme: "digest", Auth: []byte(data)})); err != nil {
		return 0, err
	}
	_, err := c.next()
	return time.Since(begun), err
}

// attack has n clients of an address do something again and again until stop is
// called, which returns how often it was answered.
func attack(n int, do func(client, i int) bool) (stop func() int64) {
	var answered, over atomic.Int64
	done := make(chan struct{}, n)
	for client := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := 0; i < 1000 && over.Load() == 0 && do(client, i); i++ { // time stands still where nobody waits
				answered.Add(1)
			}
		}()
	}
	return func() int64 {
		over.Store(1)
		got := answered.Load()
		for range n {
			<-done
		}
		return got
	}
}

// inGuessing runs f on a clock of its own with a server that has a super user.
func inGuessing(t *testing.T, opts zkserver.Options, f func(t *testing.T, s *zkserver.Server, l *pipeListener)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opts.SuperDigest = zkserver.Digest([]byte("super:secret"))
		servePipes(t, opts, f)
	})
}

// What an address may guess in 10 s with 8 connections, ten a second, once it has
// guessed what is free.
const guessesIn10s = 100 + 8

// Who guesses passwords waits longer and longer, whoever he says he is; who comes
// from the same address with what he said before waits for nothing.
func TestGuessingPasswordsTakesTime(t *testing.T) {
	for _, user := range []string{"super", "bob"} {
		t.Run(user, func(t *testing.T) {
			logs := &logKeeper{}
			inGuessing(t, zkserver.Options{Logger: slog.New(logs)}, func(t *testing.T, s *zkserver.Server, l *pipeListener) {
				healthy := l.open(t, 4*time.Second)
				if took, err := auth(healthy, "app:pw"); took > 0 || err != nil {
					t.Errorf("first authentication: %v after %v, want ok at once", err, took)
				}
				clients := make([]*rawConn, 8)
				for i := range clients {
					clients[i] = l.open(t, 4*time.Second)
					for j := range 8 { // they are free
						if took, err := auth(clients[i], fmt.Sprintf("%s:%d-%d", user, i, -1-j)); err != nil || i < 7 && took > 0 {
							t.Fatalf("free guess: %v after %v", err, took)
						}
					}
				}
				stop := attack(len(clients), func(client, i int) bool {
					_, err := auth(clients[client], fmt.Sprintf("%s:%d-%d", user, client, i))
					return err == nil
				})
				begun := time.Now()
				for range 10 {
					time.Sleep(time.Second)
					before := time.Now()
					again := l.open(t, 10*time.Second)
					if _, err := auth(again, "app:pw"); err != nil {
						t.Fatal(err)
					}
					again.create("/n", jute.FlagPersistentSequential)
					back := l.dial(t)
					if r := back.handshake(jute.ConnectRequest{SessionID: again.id, Password: again.password, TimeoutMillis: 10000}); r.SessionID != again.id {
						t.Error("the session is gone")
					}
					ping(back)
					ping(healthy)
					if took := time.Since(before); took > 0 {
						t.Errorf("a client that is known took %v, want it not to wait", took)
					}
					if err := back.nc.Close(); err != nil {
						t.Error(err)
					}
				}
				// Whoever comes for the first time, the right one too, waits with the others,
				// and for a bounded time.
				late := l.open(t, 10*time.Second)
				if took, err := auth(late, "super:secret"); err != nil || took == 0 || took > 2*time.Second {
					t.Errorf("a first authentication meanwhile: %v after %v, want ok in its turn, after at most 2s", err, took)
				}
				late.create("/super", 0)
				answered := stop()
				took := time.Since(begun)
				if most := guessesIn10s + int64(10*(took-10*time.Second)/time.Second); answered < 50 || answered > most {
					t.Errorf("%d guesses were answered in %v, want 50 to %d", answered, took, most)
				}
				if got := len(s.Sessions()); got < len(clients) {
					t.Errorf("%d sessions are left, want those of who waits to live on", got)
				}
				counts := s.State().Counts
				wrong := int64(0)
				if user == "super" {
					wrong = 64 + answered
				}
				if counts.WrongPasswords < wrong || counts.WrongPasswords > wrong+8 || counts.Slowed == 0 || counts.AuthFailures != 0 {
					t.Errorf("got %+v for %d guesses at %s", counts, answered, user)
				}
				for _, message := range []string{"wrong password", "an address authenticates as many users"} {
					if n := len(logs.with(message)); n > int(took/time.Second)+1 || n == 0 && (user == "super" || message != "wrong password") {
						t.Errorf("%d lines of %q in %v, want one in a second", n, message, took)
					}
				}
				for _, c := range slices.Concat(clients, []*rawConn{healthy, late}) {
					c.nc.Close()
				}
			})
		})
	}
}

// A wrong password for a session that lives is a guess; where there is no session
// there is nothing to guess, and a whole fleet may come to a registry that is new.
func TestGuessingSessionsTakesTime(t *testing.T) {
	inGuessing(t, zkserver.Options{}, func(t *testing.T, s *zkserver.Server, l *pipeListener) {
		victim := l.open(t, 10*time.Second)
		ask := func(id int64) {
			c := l.dial(t)
			r := c.handshake(jute.ConnectRequest{SessionID: id, Password: make([]byte, jute.PasswordSize), TimeoutMillis: 10000})
			if r.SessionID != 0 {
				t.Error("a wrong password is right")
			}
			c.nc.Close()
		}
		begun := time.Now()
		for i := range int64(500) {
			ask(victim.id + i + 1)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("500 clients of another life took %v, want no pause", took)
		}
		stop := attack(8, func(int, int) bool {
			ask(victim.id)
			return true
		})
		for range 10 {
			time.Sleep(time.Second)
			ping(victim)
		}
		answered := stop()
		if answered < 64+50 || answered > 64+guessesIn10s {
			t.Errorf("%d guesses were answered in 10s, want %d to %d", answered, 64+50, 64+guessesIn10s)
		}
		if got := s.State().Counts.WrongPasswords; got < answered || got > answered+8 {
			t.Errorf("%d wrong passwords are counted, want %d", got, answered)
		}
		victim.nc.Close()
	})
}

// Whoever waits for having guessed keeps nobody out, and does not hold up the end.
func TestWhoGuessesGivesWay(t *testing.T) {
	inGuessing(t, zkserver.Options{MaxConnectionsPerHost: 5}, func(t *testing.T, s *zkserver.Server, l *pipeListener) {
		guesser := l.open(t, 10*time.Second)
		for i := range 64 { // they are free
			if _, err := auth(guesser, fmt.Sprintf("bob:%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		guesser.nc.Close()
		synctest.Wait()
		conns := make([]*rawConn, 5)
		for i := range conns {
			conns[i] = l.open(t, 10*time.Second)
			conns[i].write(request(jute.XidAuth, jute.OpAuth, &jute.AuthRequest{Scheme: "digest", Auth: fmt.Appendf(nil, "eve:%d", i)}))
			synctest.Wait()
		}
		if got := s.State().PendingConnections; got != len(conns) {
			t.Fatalf("%d connections give way, want all %d that wait", got, len(conns))
		}
		begun := time.Now()
		c := l.open(t, 10*time.Second)
		c.create("/n", 0)
		if took := time.Since(begun); took > 0 {
			t.Errorf("a newcomer waited %v", took)
		}
		conns[0].wantEOF()
		if got := len(s.Sessions()); got != 7 {
			t.Errorf("%d sessions, want all of them to live on", got)
		}
		s.Close()
		if took := time.Since(begun); took > 0 {
			t.Errorf("Close took %v, want it not to wait for who waits", took)
		}
		for _, c := range slices.Concat(conns, []*rawConn{c}) {
			c.nc.Close()
		}
	})
}
