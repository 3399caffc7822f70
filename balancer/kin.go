// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "slices"

// kin are the slots by what several may have in common: an ID, or an address.
type kin map[key][]*slot

// kinKeys returns what the slot may have in common with others.
func (s *slot) kinKeys() []key {
	if s.key.id == "" {
		return []key{s.key.addr()}
	}
	return []key{{id: s.key.id}, s.key.addr()}
}

func (k kin) add(s *slot) {
	for _, key := range s.kinKeys() {
		k[key] = append(k[key], s)
	}
}

func (k kin) remove(s *slot) {
	for _, key := range s.kinKeys() {
		if list := k[key]; len(list) > 1 {
			k[key] = slices.DeleteFunc(slices.Clone(list), func(other *slot) bool { return other == s })
		} else {
			delete(k, key)
		}
	}
}
