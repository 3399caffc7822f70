// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

func (b *Batch) openSession(r *Request) Outcome {
	b.apply(b.record(Change{Kind: ChangeOpenSession, Owner: r.Session, Counter: r.Version}))
	return Outcome{Op: r.Op}
}

// closeSession removes a session and its ephemeral nodes in one transaction,
// which lists them: what is removed must not depend on who applies it.
func (b *Batch) closeSession(r *Request) Outcome {
	if !b.hasSession(b.session) {
		return Outcome{Op: r.Op, Err: jute.ErrSessionExpired}
	}
	paths := b.ephemeralsOf(r.Session)
	freed := b.freed(paths)
	b.apply(b.record(Change{Kind: ChangeCloseSession, Owner: r.Session, Paths: paths}))
	for _, f := range freed {
		b.chargeTo(f.quota, -f.count, -f.bytes)
	}
	return Outcome{Op: r.Op}
}

// A freeing is what the removal of nodes gives back to a quota.
type freeing struct {
	quota        string
	count, bytes int64
}

// freed sums up what the removal of nodes will give back, by quota.
func (b *Batch) freed(paths []string) []freeing {
	var list []freeing
	var of map[string]int // by quota, where in the list
	for _, path := range paths {
		quota, ok := b.quotaFor(path)
		if !ok {
			continue
		}
		i, known := of[quota]
		if !known {
			if of == nil {
				of = map[string]int{}
			}
			i = len(list)
			of[quota] = i
			list = append(list, freeing{quota: quota})
		}
		list[i].count++
		list[i].bytes += int64(len(b.get(path).Data))
	}
	return list
}
