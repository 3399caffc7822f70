// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall"
)

// ProtocolName is how the format is called in the lists of instances.
const ProtocolName = "divide"

// Protocol returns the format for the server's side, to be mounted beside
// Rollcall's protocol. Its requests are calls of Divide, which the server must
// handle. Those of a connection are handled one after the other; an idle
// connection stays. What is no request closes the connection, and so does an
// error that the format cannot tell: Serve returns why, and the server writes
// that to its log. So does a panic of the handler, of which the server's log
// knows.
//
// The handler's context ends when the connection does.
func Protocol() rollcall.Protocol {
	return rollcall.Protocol{Name: ProtocolName, Match: match, Serve: serve}
}

// match looks for the length of a name: 00 00 00, then 1 to 255.
func match(first []byte) rollcall.Verdict {
	for i, b := range first {
		switch {
		case i == lengthBytes-1 && b != 0:
			return rollcall.MatchYes
		case i == lengthBytes-1 || b != 0:
			return rollcall.MatchNo
		}
	}
	return rollcall.MatchMaybe
}

// serve serves one connection. A goroutine of its own reads, at most one request
// ahead, so that the end of the connection reaches a handler that works.
func serve(ctx context.Context, conn net.Conn, srv *rollcall.Server) error {
	// The end of ctx is no reason to break off the request in hand.
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	requests := make(chan Fraction)
	var reader sync.WaitGroup
	var readErr error
	stopped := make(chan struct{})
	reader.Go(func() {
		defer close(requests)
		defer cancel()
		readErr = readRequests(conn, requests, stopped)
	})
	err := answerAll(ctx, handling, conn, srv, requests)
	close(stopped)
	conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a dead connection wakes the reader as well
	reader.Wait()
	switch {
	case hasReason(err, rollcall.ReasonPanic), ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	return readErr
}

// readRequests hands requests on until there is none, or stopped. The end of a
// connection between two requests is no error, in whatever way it comes.
func readRequests(conn net.Conn, requests chan<- Fraction, stopped <-chan struct{}) error {
	in := &inbox{r: conn}
	for {
		f, err := next(in, ParseRequest)
		if err != nil {
			if len(in.buf) == 0 {
				return nil
			}
			return err
		}
		select {
		case requests <- f:
		case <-stopped:
			return nil
		}
	}
}

// answerAll answers requests until there are no more or ctx ends.
func answerAll(ctx, handling context.Context, conn net.Conn, srv *rollcall.Server, requests <-chan Fraction) error {
	peer := rollcall.PeerOf(conn)
	// A server that stops begins nothing, also where a request is there already.
	for ctx.Err() == nil {
		select {
		case f, ok := <-requests:
			if !ok {
				return nil
			}
			reply, err := invoke(handling, srv, peer, &f)
			if err != nil {
				return err
			}
			b, err := AppendReply(nil, reply)
			if err != nil {
				return fmt.Errorf("divide: the handler's answer has no form: %w", err)
			}
			if _, err := conn.Write(b); err != nil {
				return fmt.Errorf("divide: write the reply: %w", err)
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// invoke makes a call of a request, and a reply of what it returns.
func invoke(ctx context.Context, srv *rollcall.Server, peer rollcall.Peer, f *Fraction) (Reply, error) {
	body, err := rollcall.JSON.Append(nil, f)
	if err != nil {
		return Reply{}, fmt.Errorf("divide: encode the request: %w", err)
	}
	answer, err := srv.Invoke(ctx, rollcall.Request{Method: Divide.Name, Codec: rollcall.JSON.ID(), Body: body}, peer)
	switch {
	case IsInvalidOperation(err):
		return Reply{Kind: KindInvalidOperation, Message: messageOf(err)}, nil
	case err != nil:
		return Reply{}, fmt.Errorf("divide: the format cannot tell the handler's error: %w", err)
	}
	var q Quotient
	if err := rollcall.JSON.Decode(answer.Body, &q); err != nil {
		return Reply{}, fmt.Errorf("divide: decode the answer: %w", err)
	}
	return Reply{Kind: KindResult, Value: q.Value}, nil
}

func hasReason(err error, reason string) bool {
	var e *rollcall.Error
	return errors.As(err, &e) && e.Reason == reason
}

func messageOf(err error) string {
	var e *rollcall.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return invalidOperation
}
