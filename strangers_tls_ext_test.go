// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
)

// record is a TLS record of a handshake that announces size bytes, with those of
// body.
func record(size int, body string) string {
	return string([]byte{0x16, 3, 1, byte(size >> 8), byte(size)}) + body
}

// A thousand strangers who break TLS, or come without a certificate or token that
// counts, are told of in few lines, leave nothing behind, and keep nobody from
// being served.
func TestStrangersThatBreakTLS(t *testing.T) {
	only(t, "it has TLS of its own", "tcp")
	const rounds = 170 // with six strangers each
	ours, theirs := newTrust("ours"), newTrust("theirs")
	log := new(logLines)
	token := func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		if call.Metadata[rollcall.MetadataAuthorization] != "Bearer good" {
			return nil, rollcall.Errorf(rollcall.CodeUnauthenticated, "", "no token that counts")
		}
		return nil, nil //nolint:nilnil // the context stays
	}
	s := start(t, "", rollcall.ServerOptions{TLS: ours.server, Logger: log.logger(), Admissions: []rollcall.Admission{token}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	clientWith := func(text string) *rollcall.Client {
		return clientAt(t, s.addr, rollcall.ClientOptions{TLS: ours.client, Token: func(context.Context) (string, error) { return text, nil }})
	}
	good, bad := clientWith("good"), clientWith("bad")
	for _, c := range []*rollcall.Client{good, bad} {
		if err := c.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop := load(good, divide, 1)
	goroutines, begun := runtime.NumGoroutine(), time.Now()
	send := func(text string) error {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // a dead connection fails the read
		io.WriteString(conn, text)                 //nolint:errcheck // the server may close it first
		conn.(*net.TCPConn).CloseWrite()           //nolint:errcheck // likewise
		if _, err = io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%q does not end the connection", text)
		}
		return nil
	}
	strangers := []func() error{
		func() error { return send(record(200, "\x01\x00\x00\xc4\x03\x03")) },                 // half a ClientHello
		func() error { return send(record(6, "\x01\x00\x00\x02\x03\x03") + "garbage after") }, // one that is none
		func() error { return send("\x16" + strings.Repeat("\xff", 200)) },
		func() error { return send("\xb2ROLL\x01\x00\x00") }, // clear text
		func() error { // a certificate of another authority
			config := theirs.client.Clone()
			config.RootCAs, config.ServerName = ours.client.RootCAs, "rollcall.test"
			conn, err := tls.Dial("tcp", s.addr, config)
			if err != nil {
				return nil
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // a dead connection fails the read
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("a certificate of another authority: %w", err)
			}
			return nil
		},
		func() error { // a token that does not count
			if _, err := divide.Call(context.Background(), bad, &fraction{Num2: 1}); rollcall.CodeOf(err) != rollcall.CodeUnauthenticated {
				return fmt.Errorf("a bad token: got %w", err)
			}
			return nil
		},
	}
	var wg sync.WaitGroup
	for _, stranger := range strangers {
		wg.Go(func() {
			for range rounds {
				if err := stranger(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	calls, errs := stop()
	if calls < 10 || len(errs) > 0 {
		t.Errorf("%d calls of a good client meanwhile, %d failed: %v", calls, len(errs), errs)
	}
	// Its two clients alone are left, and their goroutines, but for workers that wait
	// for the next call.
	workers := len(strangers)
	ctx := within(t)
	for ; ; runtime.Gosched() {
		open := s.State().Open
		if open == 2 && runtime.NumGoroutine() <= goroutines+workers {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%d connections, want 2; %d goroutines, %d before", open, runtime.NumGoroutine(), goroutines)
		}
	}
	most := 1 + int(time.Since(begun)/time.Second)
	messages := map[string]int{}
	for _, level := range []string{"level=WARN", "level=ERROR"} {
		lines, _ := log.with(level)
		for _, line := range lines {
			_, text, _ := strings.Cut(line, "msg=")
			text, _, _ = strings.Cut(text, " address=")
			messages[text]++
		}
	}
	for text, n := range messages {
		if n > most {
			t.Errorf("%d lines of %s, want at most %d", n, text, most)
		}
	}
	if len(messages) != 1 {
		t.Errorf("messages %v, want one", messages)
	}
	if lines, _ := log.with("no known protocol", "left_out_before="); len(lines) == 0 && most > 2 {
		t.Error("nothing tells how many lines were left out")
	}
}
