// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"time"
)

// A Source says where a list comes from.
type Source uint8

// The sources of a list.
const (
	SourceNone   Source = iota + 1 // nothing has been read yet
	SourceStatic                   // written in the target
	SourceLive                     // the registry, connected
	SourceStale                    // the registry, read earlier; it does not answer now
)

// String returns the word that errors and tables use.
func (s Source) String() string {
	switch s {
	case SourceNone:
		return "none"
	case SourceStatic:
		return "static"
	case SourceLive:
		return "live"
	case SourceStale:
		return "stale"
	}
	return "unknown"
}

// A Skipped is an entry of a list that could not be read as an instance.
type Skipped struct {
	Name string // the entry
	Err  error  // names the field, the value and what is expected
}

// An Update is a list of instances at one moment, whole. It is immutable.
type Update struct {
	Instances []Instance // sorted by Revision, then Name; of entries with one ID only the youngest
	Skipped   []Skipped  // what was listed and could not be read, and so the overrides, by their path
	Source    Source
	Confirmed time.Time // when the list was last known to be true, on the local clock; zero with SourceNone
	Err       error     // why the source is not live; nil when it is
}

// A Resolver finds the instances of one service.
type Resolver interface {
	// Watch calls deliver with the list and again with each new one, serially,
	// from the goroutine that called Watch, until ctx ends; it then returns
	// ctx's error. A source that cannot be reached is no reason to return: the
	// update says so (Source, Err) and the watch goes on for ever. The first
	// update comes as soon as there is a list, or as soon as it is clear that
	// there is none for now. deliver must not block.
	Watch(ctx context.Context, deliver func(Update)) error
}

// A Registrar puts instances into the list of one service.
type Registrar interface {
	// Register keeps the instance in the list from now on, whatever happens to
	// the registry meanwhile, until Deregister. It does not wait for the
	// registry: an error means that the instance is not valid, and names the
	// field.
	Register(in Instance) (Registration, error)
}

// ErrDeregistered is what [Registration.Ready] returns after Deregister.
var ErrDeregistered = errors.New("discovery: deregistered")

// A Registration is an instance that is kept in a list. Its methods may be
// called from any goroutine.
type Registration interface {
	// Ready waits until the entry is there and returns its name. It returns
	// ctx's error, joined with the reason why the entry is not there, or
	// ErrDeregistered.
	Ready(ctx context.Context) (name string, err error)

	// Status tells how things are now.
	Status() RegistrationStatus

	// Changed returns a channel that is closed at the next change of Status; now
	// and then it is closed for nothing. Take the channel first, then read
	// Status: no change is missed so, though several may be seen as one.
	Changed() <-chan struct{}

	// Deregister removes the entry and ends the Registration. The wish comes
	// first: from the call on nothing creates the entry again. It returns nil
	// once the entry is surely gone or was given up to its session's end, and
	// ctx's error when that could not be confirmed in time; the registry then
	// removes the entry with the session. Calling it again is allowed.
	Deregister(ctx context.Context) error
}

// A RegistrationStatus is the state of a Registration at one moment.
type RegistrationStatus struct {
	Registered bool      // the entry is there, ours, with our data, as far as we know
	Name       string    // the entry; empty while there is none
	Since      time.Time // since when Registered has its value, on the local clock
	Conflict   string    // the younger entry of another live owner with the same ID; empty: none
	Err        error     // why the entry is not there; nil when it is

	// LastLoss is why an entry that was there was last gone, as far as the
	// registry shows it, and so known only once it answers; 0: none ever was.
	LastLoss Loss
	// Losses counts them by their reason, a loss once however long it takes to
	// have an entry again. Never changed in place; nil: none. A registrar that
	// has nothing to put right, such as [Memory], counts none.
	Losses map[Loss]int
}

// A Loss is a reason why the entry of a Registration is gone that nobody
// deregistered.
type Loss uint8

// The reasons of a loss.
const (
	LossExpired  Loss = iota + 1 // the session that kept it alive has ended
	LossDeleted                  // somebody deleted it, or took it over
	LossChanged                  // somebody wrote other data into it
	LossReplaced                 // a younger entry of another live owner has our ID, see Conflict
	LossWiped                    // the registry, or the directory, begins another life: wiped, restored, or deleted and created
)

// String returns the word that logs and metrics use.
func (l Loss) String() string {
	switch l {
	case LossExpired:
		return "expired"
	case LossDeleted:
		return "deleted"
	case LossChanged:
		return "changed"
	case LossReplaced:
		return "replaced"
	case LossWiped:
		return "wiped"
	}
	return "unknown"
}
