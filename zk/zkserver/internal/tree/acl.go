// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The schemes of identities and ACL entries.
const (
	SchemeWorld  = "world"
	SchemeAuth   = "auth"
	SchemeDigest = "digest"
	SchemeIP     = "ip"
	SchemeSuper  = "super"
)

// An Identity is who a connection is: its address, and what it proved.
type Identity struct {
	Scheme string
	ID     string
}

// worldAnyone is the ACL that nearly all nodes have; they share it.
var worldAnyone = jute.WorldAnyone()

// WorldAnyone returns the list that grants every permission to everybody. It is
// shared: it must not be changed. Checks recognise it at once.
func WorldAnyone() []jute.ACL { return worldAnyone }

func isWorldAnyone(acl []jute.ACL) bool { return len(acl) == 1 && &acl[0] == &worldAnyone[0] }

// Allowed reports whether the list grants one of the permissions in perms to one
// of the identities. An empty list grants everything to everybody.
func Allowed(acl []jute.ACL, perms int32, who []Identity) bool {
	if isWorldAnyone(acl) || len(acl) == 0 {
		return true
	}
	for _, id := range who {
		if id.Scheme == SchemeSuper {
			return true
		}
	}
	for i := range acl {
		if acl[i].Perms&perms != 0 && matches(&acl[i], who) {
			return true
		}
	}
	return false
}

func matches(a *jute.ACL, who []Identity) bool {
	if a.Scheme == SchemeWorld {
		return a.ID == "anyone"
	}
	for _, id := range who {
		if id.Scheme != a.Scheme {
			continue
		}
		if a.Scheme == SchemeIP && addressIn(id.ID, a.ID) || id.ID == a.ID {
			return true
		}
	}
	return false
}

// addressIn reports whether address is in block: an address, or address/bits.
func addressIn(address, block string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	prefix, ok := parseBlock(block)
	return ok && prefix.Contains(ip.Unmap().WithZone(""))
}

func parseBlock(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), err == nil && ip.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// maxExpanded is how many bytes the "auth" entries of one list may become. A
// request of many such entries by somebody with many identities would fill the
// memory and the log.
const maxExpanded = 1 << 20

// entryCost is what an entry takes beside its id: perms, the scheme, two lengths.
const entryCost = 4 + 4 + len(SchemeDigest) + 4

// expandACL is the function of that name for who asks, where the scheme digest may
// be turned off.
func (b *Batch) expandACL(acl []jute.ACL) []jute.ACL {
	isDigest := func(a jute.ACL) bool { return a.Scheme == SchemeDigest }
	if b.Rules.DigestDisabled && slices.ContainsFunc(acl, isDigest) {
		return nil
	}
	return expandACL(acl, b.who)
}

// expandACL checks the list of a create or setACL and returns what is stored:
// "auth" entries replaced by the proven identities, duplicates removed. It
// returns nil for a list that is not valid (PrepRequestProcessor.fixupACL).
func expandACL(acl []jute.ACL, who []Identity) []jute.ACL {
	if isWorldAnyone(acl) {
		return acl
	}
	if len(acl) == 1 && acl[0] == worldAnyone[0] {
		return worldAnyone
	}
	var out []jute.ACL
	expanded := 0
	for _, a := range acl {
		if a.Scheme == SchemeAuth {
			n := len(out)
			for _, id := range who {
				if id.Scheme == SchemeDigest {
					out = append(out, jute.ACL{Perms: a.Perms, Scheme: id.Scheme, ID: id.ID})
					expanded += entryCost + len(id.ID)
				}
			}
			if len(out) == n || expanded > maxExpanded {
				return nil
			}
			continue
		}
		if !validEntry(&a) {
			return nil
		}
		out = append(out, a)
	}
	return distinct(out)
}

func validEntry(a *jute.ACL) bool {
	switch a.Scheme {
	case SchemeWorld:
		return a.ID == "anyone"
	case SchemeIP:
		_, ok := parseBlock(a.ID)
		return ok
	case SchemeDigest:
		// Colons at the end do not count, for Java's split leaves them out.
		return strings.Count(strings.TrimRight(a.ID, ":"), ":") == 1
	}
	return false
}

// distinct removes exact duplicates in place and keeps the order. The list may
// have tens of thousands of entries, so it does not compare each with each.
func distinct(acl []jute.ACL) []jute.ACL {
	if len(acl) < 2 {
		return acl
	}
	seen := make(map[jute.ACL]struct{}, len(acl))
	out := acl[:0]
	for _, a := range acl {
		if _, dup := seen[a]; !dup {
			seen[a] = struct{}{}
			out = append(out, a)
		}
	}
	return out
}
