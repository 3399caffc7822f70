// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

// multi carries out all operations or none. When one fails, its result and those
// of all others say so: 0 before it, its code, "runtime inconsistency" behind it.
func (b *Batch) multi(r *Request) Outcome {
	out := Outcome{Op: r.Op, Results: make([]Outcome, len(r.Ops))}
	saved := b.save()
	for i := range r.Ops {
		res := b.one(&r.Ops[i])
		out.Results[i] = res
		if res.Err != 0 {
			b.restore(saved)
			failMulti(out.Results, i, res.Err)
			break
		}
	}
	return out
}

func failMulti(results []Outcome, failed int, err jute.ErrCode) {
	for i := range results {
		results[i] = Outcome{Op: jute.OpError}
		switch {
		case i == failed:
			results[i].Err = err
		case i > failed:
			results[i].Err = jute.ErrRuntimeInconsistency
		}
	}
}

// A savepoint is the state of a batch to go back to.
type savepoint struct {
	state
	events, changes int
}

// save notes the state. Nodes made before are copied from here on when they
// change, so that the savepoint keeps them as they are.
func (b *Batch) save() savepoint {
	b.step()
	return savepoint{b.state, len(b.events), len(b.changes)}
}

// restore goes back to a savepoint.
func (b *Batch) restore(s savepoint) {
	b.state = s.state
	b.events, b.changes = shorten(b.events, s.events), shorten(b.changes, s.changes)
	b.step()
}
