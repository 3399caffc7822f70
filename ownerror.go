// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/rollcall-rpc/rollcall/internal/shortage"
	"github.com/rollcall-rpc/rollcall/members"
)

// An ownError is why this process could not open a connection, where that says
// nothing of the instance: nobody is set aside, ejected or forgotten for it.
type ownError struct{ err error }

// asOwnError returns the error of a dial, as an ownError where it is one: something has
// run out here, or a function of the user's failed for a reason of its own. What came
// from the network is a net.Error or the end of a stream.
func asOwnError(ctx context.Context, err error) error {
	if shortage.OfDial(err) {
		return &ownError{err}
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil {
		return err
	}
	return &ownError{err}
}

// isOwnError returns the fault that err tells of; nil: it tells of the instance.
func isOwnError(err error) *ownError {
	own, _ := errors.AsType[*ownError](err)
	return own
}

// general reports whether a dial of any instance would meet the same.
func (f *ownError) general() bool { return shortage.Is(f.err) }

func (f *ownError) Error() string {
	switch {
	case errors.Is(f.err, syscall.EMFILE):
		return "this process has no descriptor left: " + f.err.Error()
	case errors.Is(f.err, syscall.ENFILE):
		return "this system has no descriptor left: " + f.err.Error()
	case f.general():
		return "this system has no memory left for a connection: " + f.err.Error()
	case errors.Is(f.err, syscall.EADDRNOTAVAIL):
		return "this system has no address or port left to dial from: " + f.err.Error()
	}
	return f.err.Error()
}

func (f *ownError) Unwrap() error { return f.err }

// Is has a probe that met the fault say nothing.
func (f *ownError) Is(target error) bool { return target == members.ErrUnprobed }

// wantsRoom reports whether err is one where closing a connection helps.
func wantsRoom(err error) bool {
	own := isOwnError(err)
	return own != nil && shortage.OfDescriptors(own.err)
}

// makeRoom closes the connection of the client that has been idle for longest; false:
// every one has a call on it.
func (p *peer) makeRoom() bool {
	p.connector.room.Lock() // so that two do not close the same one
	defer p.connector.room.Unlock()
	var longest idleConn
	for _, e := range p.members.Snapshot().Endpoints {
		if i := peerOf(e.Endpoint).longestIdle(); i.close != nil && (longest.close == nil || i.since.Before(longest.since)) {
			longest = i
		}
	}
	return longest.close != nil && longest.close()
}
