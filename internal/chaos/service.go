// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/execlog"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

// Work is how long a handler works where nothing slows it.
const Work = time.Millisecond

// The orders that a server takes on its stdin, a line each. It acknowledges each
// with a line once it is carried out.
const (
	orderWork        = "work " // and a duration: work for so long
	orderOnce        = "once " // and a duration: work for so long on the next call alone
	orderUnavailable = "unavailable"
	orderRefuse      = "refuse" // close the port and every connection
	orderWell        = "well"   // be as in the beginning
	orderUsage       = "usage"  // say what was used, behind the acknowledgement
	acknowledged     = "ok"
)

// ErrUnavailable is what a handler answers that was ordered to.
var ErrUnavailable = errors.New("the server is ordered to be unavailable")

// A Service is what a server under test does, whatever it is called through. Its
// methods may be called from any goroutine.
type Service struct {
	log  *execlog.Log
	gate *Gate
	lock sync.Mutex // that calls of hold need

	mu          sync.Mutex // guards what follows
	work        time.Duration
	once        time.Duration // on the next call; 0: work
	unavailable bool
	executed    int // calls
}

// NewService returns a service that notes its executions in a log and may close
// its gate.
func NewService(log *execlog.Log, gate *Gate) *Service {
	return &Service{log: log, gate: gate, work: Work}
}

// Execute is the handler of both methods: it notes the call, then works. It
// returns ErrUnavailable where that is ordered, and ctx's error if ctx ends
// first.
func (s *Service) Execute(ctx context.Context, id uint64) error {
	if err := s.log.Note(id); err != nil {
		return err
	}
	s.mu.Lock()
	work, unavailable := s.work, s.unavailable
	if s.once > 0 {
		work, s.once = s.once, 0
	}
	s.executed++
	s.mu.Unlock()
	if unavailable {
		return ErrUnavailable
	}
	return pause.For(ctx, work)
}

// Obey carries out the orders of stdin until it ends, which tells that whoever
// started the server is gone.
func (s *Service) Obey(stdin io.Reader, stdout io.Writer) error {
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		answer, err := s.obey(lines.Text())
		if err != nil {
			return fmt.Errorf("order %q: %w", lines.Text(), err)
		}
		fmt.Fprintln(stdout, acknowledged+answer)
	}
	return lines.Err()
}

// obey carries out an order and returns what there is to say of it, mostly nothing.
func (s *Service) obey(order string) (answer string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	work, isWork := strings.CutPrefix(order, orderWork)
	once, isOnce := strings.CutPrefix(order, orderOnce)
	switch {
	case isWork:
		s.work, err = time.ParseDuration(work)
		return "", err
	case isOnce:
		s.once, err = time.ParseDuration(once)
		return "", err
	case order == orderUnavailable:
		s.unavailable = true
	case order == orderRefuse:
		s.gate.Refuse()
	case order == orderWell:
		s.work, s.once, s.unavailable = Work, 0, false
		return "", s.gate.Admit()
	case order == orderUsage:
		b, err := json.Marshal(s.usage())
		return string(b), err
	default:
		return "", errors.New("give one that is known")
	}
	return "", nil
}

// Hold is the handler of a method of which a server does one call after the other: it
// notes the call, and works for 5 ms with a lock that it waits for, also where nobody
// waits for it any more.
func (s *Service) Hold(ctx context.Context, id uint64) error {
	if err := s.log.Note(id); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return pause.For(context.WithoutCancel(ctx), holding)
}
