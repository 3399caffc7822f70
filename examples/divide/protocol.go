// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall"
)

// ProtocolName is how the format is called in the lists of instances.
const ProtocolName = "divide"

// Protocol returns the format for the server's side, to be mounted beside
// Rollcall's protocol. Requests of a connection are handled one after the other;
// an idle connection stays. What is no request closes the connection, and so
// does an error of the handler that the format cannot tell: Serve returns why,
// and the server writes that to its log. A panic of the handler also closes the
// connection and goes to logger, with its stack; nil: nowhere.
//
// The handler's context ends when the connection does.
func Protocol(handler func(context.Context, *Fraction) (*Quotient, error), logger *slog.Logger) rollcall.Protocol {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &service{handler: handler, logger: logger}
	return rollcall.Protocol{Name: ProtocolName, Match: match, Serve: s.serve}
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

type service struct {
	handler func(context.Context, *Fraction) (*Quotient, error)
	logger  *slog.Logger
}

// errPanicked ends a connection whose handler panicked; the log knows already.
var errPanicked = errors.New("divide: the handler panicked")

// serve serves one connection. A goroutine of its own reads, at most one request
// ahead, so that the end of the connection reaches a handler that works.
func (s *service) serve(ctx context.Context, conn net.Conn) error {
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
	err := s.answerAll(ctx, handling, conn, requests)
	close(stopped)
	conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a dead connection wakes the reader as well
	reader.Wait()
	switch {
	case errors.Is(err, errPanicked), ctx.Err() != nil:
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
func (s *service) answerAll(ctx, handling context.Context, conn net.Conn, requests <-chan Fraction) error {
	// A server that stops begins nothing, also where a request is there already.
	for ctx.Err() == nil {
		select {
		case f, ok := <-requests:
			if !ok {
				return nil
			}
			if err := s.answer(handling, conn, &f); err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
	return nil
}

func (s *service) answer(ctx context.Context, conn net.Conn, f *Fraction) error {
	reply, err := s.run(ctx, f)
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
	return nil
}

// run calls the handler and makes a reply of what it returns.
func (s *service) run(ctx context.Context, f *Fraction) (r Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("handler panicked", "protocol", ProtocolName, "panic", p, "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	q, err := s.handler(ctx, f)
	switch {
	case IsInvalidOperation(err):
		r = Reply{Kind: KindInvalidOperation, Message: messageOf(err)}
		return r, nil
	case err != nil:
		return r, fmt.Errorf("divide: the format cannot tell the handler's error: %w", err)
	case q == nil:
		q = new(Quotient)
	}
	return Reply{Kind: KindResult, Value: q.Value}, nil
}

func messageOf(err error) string {
	var e *rollcall.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return invalidOperation
}
