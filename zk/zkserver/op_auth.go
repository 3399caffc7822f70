// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

const (
	// maxIdentities is how many identities a connection may have: each check of a
	// permission compares them all.
	maxIdentities = 64
	// schemeEnsemble is not one of identities: no list names it.
	schemeEnsemble = "ensemble"
	// maxUser is how long the name of a user may be, in bytes.
	maxUser = 1 << 10
)

var authHandler = handler{local: authenticate, short: "AUTH"}

// authenticate adds identities to the connection: they count for the requests
// behind it. A failure ends the connection, and leaves the session; one identity
// more than a connection may have is one. The name of another ensemble ends it
// without an answer, for a client that is told of a failure gives up, and this one
// shall go on to another server. So does what cannot be decoded.
func authenticate(c *conn, xid int32) bool {
	var r jute.AuthRequest
	r.Decode(&c.rd.d)
	c.settle()
	if c.rd.d.Err() != nil {
		return false
	}
	if !c.guess(&r) {
		return false
	}
	if !c.prove(&r) {
		return c.unproven(xid, r.Scheme != schemeEnsemble || c.srv.opts.EnsembleNames == nil)
	}
	c.answer(xid, 0, jute.ErrOk)
	return true
}

// unproven notes that an authentication has failed, and answers so if that is to be
// told. It returns false: the connection ends.
func (c *conn) unproven(xid int32, told bool) bool {
	c.srv.stats.unproven.Add(1)
	if told {
		c.answer(xid, 0, jute.ErrAuthFailed)
	}
	c.srv.refused(c, RefusedInfo{Reason: RefusedAuth})
	return false
}

// prove adds the identities that an authentication proves, and reports whether it
// proves any.
func (c *conn) prove(r *jute.AuthRequest) bool {
	switch r.Scheme {
	case tree.SchemeDigest:
		if c.srv.opts.DigestDisabled || r.Auth == nil {
			return false
		}
		id := c.srv.opts.DigestAlgorithm.Digest(r.Auth)
		if user, _, _ := strings.Cut(id, ":"); len(user) > maxUser || !c.identify(tree.Identity{Scheme: tree.SchemeDigest, ID: id}) {
			return false
		}
		if super := c.srv.opts.SuperDigest; super != "" && subtle.ConstantTimeCompare([]byte(id), []byte(super)) == 1 {
			return c.identify(tree.Identity{Scheme: tree.SchemeSuper})
		}
		return true
	case tree.SchemeIP: // the address is known from the start
		return true
	case schemeEnsemble: // which a client takes this one for; it proves nothing
		names := c.srv.opts.EnsembleNames
		return names != nil && (len(r.Auth) == 0 || len(names) == 0 || slices.Contains(names, string(r.Auth)))
	}
	return false
}

// identify adds an identity to the connection, and reports whether it has it now.
// The list is replaced, not changed: requests on their way keep the one they came
// with.
func (c *conn) identify(id tree.Identity) bool {
	who := c.identities()
	if slices.Contains(who, id) {
		return true
	}
	if len(who) >= maxIdentities {
		return false
	}
	who = append(slices.Clone(who), id)
	c.who.Store(&who)
	return true
}
