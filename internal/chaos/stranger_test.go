// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// Who is silent says what is his manner and then nothing, until the connection ends.
func TestSilence(t *testing.T) {
	for i, want := range []string{"", "\xb2", string(frame.AppendPreface(nil, frame.Preface{}))} {
		synctest.Test(t, func(t *testing.T) {
			own, other := net.Pipe()
			ended, heard := make(chan struct{}), make(chan string, 1)
			go func() {
				defer close(ended)
				silence[i](other)
			}()
			go func() {
				b := make([]byte, len(want))
				io.ReadFull(own, b) //nolint:errcheck // it is looked at
				rest, _ := io.ReadAll(own)
				heard <- string(b) + string(rest)
			}()
			synctest.Wait()
			select {
			case <-ended:
				t.Errorf("%d: he goes before the connection ends", i)
			default:
			}
			own.Close()
			<-ended
			if got := <-heard; got != want {
				t.Errorf("%d: he said %q, want %q", i, got, want)
			}
		})
	}
}

// Who is stuck asks for large replies again and again, or sends the beginnings of
// requests.
func TestStuckManners(t *testing.T) {
	for i, flags := range []frame.Flags{0, frame.FlagMore} {
		own, other := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			stuck[i](other)
		}()
		in := bufio.NewReader(own)
		first, err := in.Peek(frame.PrefaceHeaderBytes)
		if err != nil {
			t.Fatal(err)
		}
		size, err := frame.PrefaceSize(first)
		if err != nil {
			t.Fatal(err)
		}
		in.Discard(size) //nolint:errcheck // the next read tells
		for id := range uint64(pieces) {
			b := make([]byte, frame.HeaderBytes)
			io.ReadFull(in, b) //nolint:errcheck // the header tells
			h, err := frame.ParseHeader(b)
			if err == nil {
				err = h.Check(frame.DefaultMaxFrame)
			}
			if err != nil || h.Type != frame.TypeRequest || h.Flags != flags || h.StreamID != id+1 {
				t.Fatalf("%d: frame %d: %+v, %v", i, id, h, err)
			}
			payload := make([]byte, h.Length)
			io.ReadFull(in, payload) //nolint:errcheck // the request tells
			if q, err := frame.ParseRequest(payload, frame.DefaultMaxFrame); err != nil || string(q.Method) != fill.Name {
				t.Fatalf("%d: request %d: %q, %v", i, id, q.Method, err)
			}
		}
		own.Close()
		<-ended
	}
}

// A stranger comes again when he is thrown out, or does not get in, and goes when he
// is told to.
func TestStrangerComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan net.Conn)
		dials := 0
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			haunt(ctx, func() (net.Conn, error) {
				if dials++; dials == 2 {
					return nil, io.EOF
				}
				own, other := net.Pipe()
				ends <- own
				return other, nil
			}, says(nil))
		}()
		for i, want := range []int{1, 3} {
			begun := time.Now()
			own := <-ends
			if took := time.Since(begun); dials != want || took > 2*returning {
				t.Errorf("comes %d: dial %d after %v, want %d", i, dials, took, want)
			}
			own.Close()
		}
		own := <-ends
		cancel()
		io.Copy(io.Discard, own) //nolint:errcheck // it ends with the connection
		<-gone
	})
}
