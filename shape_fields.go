// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A jsonField is a field of a struct as encoding/json sees it.
type jsonField struct {
	name     string
	tagged   bool // the name is the tag's
	typ      reflect.Type
	index    []int // of the field, through embedded structs
	optional bool
	quoted   bool
}

// jsonFields returns the fields of a struct that JSON has. Fields of embedded
// structs are the outer one's, unless a field of the same name is less deep, or as
// deep and named by a tag alone; where that does not decide, none is there.
func jsonFields(t reflect.Type) []jsonField {
	byName := make(map[string][]jsonField)
	seen := make(map[reflect.Type]bool)
	level := []embedded{{typ: t, times: 1}}
	for len(level) > 0 {
		var next []embedded
		for _, e := range level {
			if seen[e.typ] {
				continue
			}
			seen[e.typ] = true
			next = e.fields(byName, next)
		}
		level = next
	}
	var list []jsonField
	for _, same := range byName {
		if f, ok := dominant(same); ok {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b jsonField) int { return slices.Compare(a.index, b.index) })
	return list
}

// An embedded is a struct whose fields are those of the one around it.
type embedded struct {
	typ   reflect.Type
	index []int
	times int // that it is embedded at this depth, in types that are told apart
}

// fields notes the fields of an embedded struct, and adds the structs that are
// embedded in it to next.
func (e *embedded) fields(byName map[string][]jsonField, next []embedded) []embedded {
	for i := range e.typ.NumField() {
		sf := e.typ.Field(i)
		inner := sf.Type
		if inner.Kind() == reflect.Pointer && inner.Name() == "" {
			inner = inner.Elem()
		}
		isStruct := inner.Kind() == reflect.Struct
		if !sf.IsExported() && (!sf.Anonymous || !isStruct) {
			continue
		}
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		if !validJSONName(name) {
			name = ""
		}
		f := jsonField{name: name, tagged: name != "", typ: sf.Type, index: append(slices.Clone(e.index), i)}
		if sf.Anonymous && isStruct && !f.tagged {
			if at := slices.IndexFunc(next, func(n embedded) bool { return n.typ == inner }); at >= 0 {
				next[at].times++
			} else {
				next = append(next, embedded{typ: inner, index: f.index, times: 1})
			}
			continue
		}
		if !f.tagged {
			f.name = sf.Name
		}
		options := strings.Split(rest, ",")
		f.optional = slices.Contains(options, "omitempty") || slices.Contains(options, "omitzero")
		f.quoted = slices.Contains(options, "string") && quotable(inner)
		byName[f.name] = append(byName[f.name], f)
		if e.times > 1 { // it is there more than once
			byName[f.name] = append(byName[f.name], f)
		}
	}
	return next
}

// dominant returns the one of several fields of a name that counts.
func dominant(same []jsonField) (f jsonField, ok bool) {
	depth := len(same[0].index) // they came by their depth
	same = slices.DeleteFunc(same, func(f jsonField) bool { return len(f.index) > depth })
	if slices.ContainsFunc(same, func(f jsonField) bool { return f.tagged }) {
		same = slices.DeleteFunc(same, func(f jsonField) bool { return !f.tagged })
	}
	return same[0], len(same) == 1
}

// quotable reports whether the option "string" means anything to a type.
func quotable(t reflect.Type) bool {
	switch goKind(t) { //nolint:exhaustive // the others are not
	case ShapeBool, ShapeInt, ShapeUint, ShapeFloat, ShapeString:
		return true
	}
	return false
}

func validJSONName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}
