// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall"
)

// unknownKeys returns a sentence for each key of a request that the shape does not
// have. What is of another type than the shape says is for the server to refuse.
func unknownKeys(request []byte, m *rollcall.MethodInfo) []string {
	c := keyCheck{protobuf: slices.ContainsFunc(m.Codecs, func(c rollcall.CodecInfo) bool { return c.ID == rollcall.Proto.ID() })}
	c.look("", request, &m.Request)
	return c.found
}

// A keyCheck is one walk through a request.
type keyCheck struct {
	protobuf bool // its names with underscores are known too
	found    []string
}

// look compares a value; path is that of the value, "" of the whole.
func (c *keyCheck) look(path string, value json.RawMessage, s *rollcall.Shape) {
	if s.Cut {
		return
	}
	switch s.Kind { //nolint:exhaustive // the others have no keys
	case rollcall.ShapeArray:
		var items []json.RawMessage
		if s.Elem == nil || json.Unmarshal(value, &items) != nil {
			return
		}
		for i, item := range items {
			c.look(fmt.Sprintf("%s[%d]", path, i), item, s.Elem)
		}
	case rollcall.ShapeMap, rollcall.ShapeObject:
		var fields map[string]json.RawMessage
		if json.Unmarshal(value, &fields) != nil {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if s.Kind == rollcall.ShapeMap && s.Elem != nil {
				c.look(join(path, key), fields[key], s.Elem)
			} else if s.Kind == rollcall.ShapeObject {
				c.key(path, key, fields[key], s)
			}
		}
	}
}

// key compares one key of an object, and what is below it.
func (c *keyCheck) key(path, key string, value json.RawMessage, s *rollcall.Shape) {
	var names []string
	for i := range s.Fields {
		f := &s.Fields[i]
		if strings.EqualFold(f.Name, key) || (c.protobuf && strings.EqualFold(f.Name, strings.ReplaceAll(key, "_", ""))) {
			c.look(join(path, key), value, &f.Shape)
			return
		}
		names = append(names, f.Name)
	}
	fix := "leave it out"
	switch like := similar(key, names); {
	case len(like) > 0:
		fix = "did you mean " + orList(quoted(like)) + "?"
	case len(names) > 0 && len(names) <= 12:
		fix = "it knows " + strings.Join(quoted(names), ", ")
	}
	c.found = append(c.found, fmt.Sprintf("the request has no key %q: %s", join(path, key), fix))
}

// join returns the path of a key.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func quoted(words []string) []string {
	var list []string
	for _, w := range words {
		list = append(list, fmt.Sprintf("%q", w))
	}
	return list
}
