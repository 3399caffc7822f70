// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

// reads are the nodes that are to be read, each once at a time. One goroutine
// owns them.
type reads struct {
	byName  map[string]*read
	queue   []string // names to read; those that are not in byName any more are passed over
	slow    []string // likewise, for when there is nothing else to do
	running int
	awaited int // the reads without which the list is not whole
}

// A read is a node that waits to be read or is being read.
type read struct {
	running bool
	again   bool // it changed while it was read
	gone    bool // it was deleted while it was read
	slow    bool // it waits in reads.slow
	awaited bool
}

// want asks for a node. With awaited the list is not whole before it is read.
func (r *reads) want(name string, awaited bool) {
	rd := r.byName[name]
	switch {
	case rd == nil:
		rd = &read{}
		r.byName[name] = rd
		r.queue = append(r.queue, name)
	case rd.running:
		rd.again, rd.gone = true, false
	case rd.slow:
		rd.slow = false
		r.queue = append(r.queue, name)
	}
	if awaited && !rd.awaited {
		rd.awaited = true
		r.awaited++
	}
}

// wantSlow asks for a node that nobody waits for.
func (r *reads) wantSlow(name string) {
	if r.byName[name] == nil {
		r.byName[name] = &read{slow: true}
		r.slow = append(r.slow, name)
	}
}

// drop takes a wish back: what a read under way brings does not count.
func (r *reads) drop(name string) {
	rd := r.byName[name]
	switch {
	case rd == nil:
	case rd.running:
		rd.gone, rd.again = true, false
		r.settle(rd)
	default:
		r.settle(rd)
		delete(r.byName, name)
	}
}

// next returns the next node to read and counts it as running.
func (r *reads) next() (name string, ok bool) {
	for len(r.queue) > 0 && r.running < maxReads {
		name, r.queue = r.queue[0], r.queue[1:]
		if rd := r.byName[name]; rd != nil && !rd.running {
			rd.running, rd.slow = true, false
			r.running++
			return name, true
		}
	}
	for len(r.queue) == 0 && len(r.slow) > 0 && r.running < maxSweepReads {
		name, r.slow = r.slow[0], r.slow[1:]
		if rd := r.byName[name]; rd != nil && !rd.running && rd.slow {
			rd.running, rd.slow = true, false
			r.running++
			return name, true
		}
	}
	return "", false
}

// done ends a read. It reports whether what it brought counts.
func (r *reads) done(name string) bool {
	rd := r.byName[name]
	rd.running = false
	r.running--
	if rd.again {
		rd.again = false
		r.queue = append(r.queue, name)
		return false
	}
	r.settle(rd)
	delete(r.byName, name)
	return !rd.gone
}

// retry puts a read that brought nothing back, unless the node is gone.
func (r *reads) retry(name string) {
	rd := r.byName[name]
	rd.running = false
	r.running--
	if rd.gone {
		r.settle(rd)
		delete(r.byName, name)
		return
	}
	rd.again = false
	r.queue = append(r.queue, name)
}

// waiting reports whether something waits to be read.
func (r *reads) waiting() bool { return len(r.queue)+len(r.slow) > 0 }

func (r *reads) settle(rd *read) {
	if rd.awaited {
		rd.awaited = false
		r.awaited--
	}
}
