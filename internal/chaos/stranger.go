// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

const (
	// returning is after how long a stranger comes at most, at first and when his
	// connection has ended.
	returning = 2 * time.Second

	// hosts is how many addresses strangers come from, the clients' among them: what
	// keeps an address within its share must not be all that keeps them out.
	hosts = 4
)

// A manner is how a stranger behaves on a connection. It returns when the connection
// ends, or earlier.
type manner func(conn net.Conn)

// silence are the manners of those who say nothing that a server could answer.
var silence = []manner{says(nil), says([]byte{frame.FirstByte}), says(frame.AppendPreface(nil, frame.Preface{}))}

// says is the manner of one who says something and then nothing more.
func says(what []byte) manner {
	return func(conn net.Conn) {
		conn.Write(what)          //nolint:errcheck // then it has ended
		io.Copy(io.Discard, conn) //nolint:errcheck // it ends with the connection
	}
}

// stuck are the manners of those who ask and do not go on: one never reads the large
// replies to all that he asks for, the other never sends the rest of large requests.
var stuck = []manner{readsNothing, finishesNothing}

const (
	atOnce     = 1000     // requests in one write
	pieces     = 100      // of requests that one connection leaves unfinished
	pieceBytes = 60 << 10 // it fits into a frame
)

func readsNothing(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetReadBuffer(4 << 10) //nolint:errcheck // then more fits into the kernel
	}
	b := frame.AppendPreface(nil, frame.Preface{})
	var err error
	for id := uint64(1); err == nil; { // it blocks once the server reads no more of it
		for range atOnce {
			b = appendRequest(b, id, 0, nil)
			id++
		}
		_, err = conn.Write(b)
		b = b[:0]
	}
}

func finishesNothing(conn net.Conn) {
	conn.Write(unfinished())  //nolint:errcheck // then it has ended
	io.Copy(io.Discard, conn) //nolint:errcheck // it ends with the connection
}

// unfinished is what they send, made once: their work is not to be the load.
var unfinished = sync.OnceValue(func() []byte {
	b := frame.AppendPreface(nil, frame.Preface{})
	for id := range uint64(pieces) {
		b = appendRequest(b, id+1, frame.FlagMore, make([]byte, pieceBytes))
	}
	return b
})

// appendRequest appends the first piece of a request of fill, which is all of it
// without FlagMore.
func appendRequest(b []byte, id uint64, flags frame.Flags, body []byte) []byte {
	payload := frame.AppendRequest(nil, &frame.Request{Method: []byte(fill.Name), Body: body})
	b = frame.AppendHeader(b, frame.Header{Type: frame.TypeRequest, Flags: flags, StreamID: id, Length: uint32(len(payload))}) //nolint:gosec // it fits into a frame
	return append(b, payload...)
}

// invite lets n strangers come to each of the servers, who behave in turn in one of the ways
// and come again when they are thrown out, until leave is called.
func invite(ctx context.Context, servers []*server, n int, manners ...manner) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	var strangers sync.WaitGroup
	for _, sv := range servers {
		for i := range n {
			addr, behave := sv.addr, manners[i%len(manners)]
			host := byte(1 + i/len(manners)%hosts)
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, host)}}
			strangers.Go(func() {
				haunt(ctx, func() (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) }, behave)
			})
		}
	}
	return func() {
		cancel()
		strangers.Wait()
	}
}

// haunt is the life of a stranger.
func haunt(ctx context.Context, dial func() (net.Conn, error), behave manner) {
	for pause.For(ctx, rand.N(returning)) == nil { //nolint:gosec // they do not come all at once
		if conn, err := dial(); err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			behave(conn)
			stop()
			reset(conn) // so many ports must not wait
		}
	}
}

// newcomers lets one new client after the other come and make a call of each method,
// until stop is called, which returns how many were served. At least one comes.
func (s *stage) newcomers(ctx context.Context) (stop func() (served int, err error)) {
	until, cancel := context.WithCancel(ctx)
	type end struct {
		served int
		err    error
	}
	ended := make(chan end, 1)
	go func() { // stop waits for it
		var e end
		for e.err == nil && (e.served == 0 || until.Err() == nil) {
			if e.err = s.newcomer(ctx); e.err == nil {
				e.served++
				pause.For(until, thinkTime) //nolint:errcheck // the loop looks
			}
		}
		ended <- e
	}()
	return func() (int, error) {
		cancel()
		e := <-ended
		return e.served, e.err
	}
}

// newcomer is one of them. What becomes of its calls is in the ledger.
func (s *stage) newcomer(ctx context.Context) error {
	client, err := s.cfg.NewClient(s.target)
	if err != nil {
		return err
	}
	defer client.Close() // no call is under way
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := awaitView(ctx, client, func(v View) bool { return len(v.Usable) > 0 }); err != nil {
		return err
	}
	for _, isPut := range []bool{false, true} {
		s.traffic.call(ctx, client, isPut, time.Now(), false)
	}
	return nil
}
