// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
)

// A view is what is known of the nodes of a directory and of the overrides, and
// the list that they make. It is pure: no clock, no I/O, one goroutine. A change
// costs its own size, and building the list after it one copy.
type view struct {
	entries   map[string]*entry
	byKey     map[layout.OverrideKey][]string // the readable entries of an instance, oldest first
	overrides *layout.Overrides               // nil: none
	unread    *discovery.Skipped              // the overrides' document, if it cannot be read

	instances []discovery.Instance // the list as last built; never changed in place
	skipped   []discovery.Skipped  // likewise
	changed   map[string]struct{}  // names whose place in the list may have changed since
	gone      []*entry             // what is to leave the list
	skips     bool                 // skipped has changed since
}

// An entry is a node that was read.
type entry struct {
	in     discovery.Instance // without overrides
	err    error              // why it is not an instance
	listed bool               // this very content is in the list as last built, with the overrides of now
}

func newView() *view {
	return &view{entries: map[string]*entry{}, byKey: map[layout.OverrideKey][]string{}, changed: map[string]struct{}{}}
}

// set records what a node holds. It reports whether that is news.
func (v *view) set(in discovery.Instance, err error) bool {
	old := v.entries[in.Name]
	if old != nil && sameError(old.err, err) && reflect.DeepEqual(old.in, in) {
		return false
	}
	v.remove(in.Name)
	e := &entry{in: in, err: err}
	v.entries[in.Name] = e
	if err != nil {
		v.skips = true
		return true
	}
	v.mark(in.Name)
	key := layout.OverrideKeyOf(&in)
	names := v.byKey[key]
	i, _ := slices.BinarySearchFunc(names, e, func(name string, e *entry) int { return byAge(&v.entries[name].in, &e.in) })
	if i == len(names) && i > 0 {
		v.mark(names[i-1]) // no longer the youngest
	}
	v.byKey[key] = slices.Insert(names, i, in.Name)
	return true
}

// override makes o the overrides from now on, and reports whether any order
// differs.
func (v *view) override(o *layout.Overrides) (news bool) {
	before := v.overrides
	v.overrides = o
	for _, all := range [2][]discovery.Instance{before.All(), o.All()} {
		for i := range all {
			if key := layout.OverrideKeyOf(&all[i]); !before.For(key).Equal(o.For(key)) {
				v.replace(v.byKey[key])
				news = true
			}
		}
	}
	return news
}

// replace lets entries leave the list and come back as they are now.
func (v *view) replace(names []string) {
	for _, name := range names {
		if e := v.entries[name]; e.listed {
			e.listed = false
			v.gone = append(v.gone, e)
			v.mark(name)
		}
	}
}

// report says that the overrides' document cannot be read; nil: it can. It
// reports whether that is news.
func (v *view) report(unread *discovery.Skipped) bool {
	if unread == nil && v.unread == nil || unread != nil && v.unread != nil && sameError(unread.Err, v.unread.Err) {
		return false
	}
	v.unread, v.skips = unread, true
	return true
}

// remove forgets a node.
func (v *view) remove(name string) {
	e := v.entries[name]
	if e == nil {
		return
	}
	delete(v.entries, name)
	if e.err != nil {
		v.skips = true
	}
	if e.listed {
		v.gone = append(v.gone, e)
	}
	if e.err != nil {
		return
	}
	key := layout.OverrideKeyOf(&e.in)
	names := v.byKey[key]
	i := slices.Index(names, name)
	names = slices.Delete(names, i, i+1)
	v.byKey[key] = names
	switch {
	case len(names) == 0:
		delete(v.byKey, key)
	case i == len(names):
		v.mark(names[i-1]) // the youngest from now on
	}
}

func (v *view) mark(name string) { v.changed[name] = struct{}{} }

// shown reports whether an entry belongs into the list: readable, and the
// youngest of its ID.
func (v *view) shown(e *entry) bool {
	if e == nil || e.err != nil {
		return false
	}
	if e.in.ID == "" {
		return true
	}
	names := v.byKey[layout.OverrideKeyOf(&e.in)]
	return names[len(names)-1] == e.in.Name
}

// dirty reports whether build may have something to do.
func (v *view) dirty() bool { return v.skips || len(v.changed)+len(v.gone) > 0 }

// build brings instances and skipped up to date and reports whether either
// changed.
func (v *view) build() bool {
	news := v.skips
	if v.skips {
		v.skipped, v.skips = v.listSkipped(), false
	}
	var added []*entry
	for name := range v.changed {
		switch e := v.entries[name]; {
		case e == nil:
		case v.shown(e) && !e.listed:
			e.listed = true
			added = append(added, e)
		case !v.shown(e) && e.listed:
			e.listed = false
			v.gone = append(v.gone, e)
		}
	}
	clear(v.changed)
	if len(added)+len(v.gone) == 0 {
		return news // what changed came and went
	}
	v.instances = v.merge(added)
	v.gone = nil
	return true
}

// merge returns a new list without what is gone and with what is added: one copy
// of the old one, piece by piece.
func (v *view) merge(added []*entry) []discovery.Instance {
	old, gone := v.instances, v.gone
	byEntryAge := func(a, b *entry) int { return byAge(&a.in, &b.in) }
	slices.SortFunc(gone, byEntryAge)
	slices.SortFunc(added, byEntryAge)
	list := make([]discovery.Instance, 0, len(old)-len(gone)+len(added))
	for len(gone)+len(added) > 0 {
		leaves := len(added) == 0 || len(gone) > 0 && byEntryAge(gone[0], added[0]) <= 0
		var next *entry
		if leaves {
			next, gone = gone[0], gone[1:]
		} else {
			next, added = added[0], added[1:]
		}
		i, _ := slices.BinarySearchFunc(old, next, func(in discovery.Instance, e *entry) int { return byAge(&in, &e.in) })
		list, old = append(list, old[:i]...), old[i:]
		if leaves {
			old = old[1:]
		} else {
			list = append(list, next.in.Overridden(v.overrides.For(layout.OverrideKeyOf(&next.in))))
		}
	}
	return append(list, old...)
}

func (v *view) listSkipped() []discovery.Skipped {
	var list []discovery.Skipped
	for name, e := range v.entries {
		if e.err != nil {
			list = append(list, discovery.Skipped{Name: name, Err: e.err})
		}
	}
	slices.SortFunc(list, func(a, b discovery.Skipped) int { return layout.CompareNames(a.Name, b.Name) })
	if v.unread != nil {
		list = append(list, *v.unread)
	}
	return list
}

// byAge is the order of a list: by the creating transaction, and by name within
// one.
func byAge(a, b *discovery.Instance) int {
	return cmp.Or(cmp.Compare(a.Revision, b.Revision), layout.CompareNames(a.Name, b.Name))
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
