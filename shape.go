// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"

	"google.golang.org/protobuf/proto"
)

// A Shape is what a message, or a part of one, looks like in JSON.
type Shape struct {
	Kind ShapeKind `json:"kind"`

	// Type is the full name of a protobuf message or enum, or the name of a Go
	// type; empty where it says no more than Kind does.
	Type string `json:"type,omitempty"`

	Fields []ShapeField `json:"fields,omitempty"` // of an object, in their order
	Key    ShapeKind    `json:"key,omitempty"`    // of a map: what its keys, which are text in JSON, stand for
	Elem   *Shape       `json:"elem,omitempty"`   // of an array or a map
	Len    int          `json:"len,omitempty"`    // of an array that always has as many
	Values []string     `json:"values,omitempty"` // of an enum
	Quoted bool         `json:"quoted,omitempty"` // a number or bool that is written as text

	// Cut: it is not described further, for it is inside one of the same Type
	// that is, or the message has more than 1000 parts.
	Cut bool `json:"cut,omitempty"`
}

// A ShapeField is a field of an object.
type ShapeField struct {
	Name string `json:"name"`
	Shape
	Optional bool   `json:"optional,omitempty"` // it may be left out where it has its zero value
	Oneof    string `json:"oneof,omitempty"`    // of the fields with the same word, one at most is there
}

// A ShapeKind says how a value is written.
type ShapeKind string

// The kinds of shapes.
const (
	ShapeBool     ShapeKind = "bool"
	ShapeInt      ShapeKind = "int"
	ShapeUint     ShapeKind = "uint"
	ShapeFloat    ShapeKind = "float"
	ShapeString   ShapeKind = "string"
	ShapeBytes    ShapeKind = "bytes"    // text in base64
	ShapeTime     ShapeKind = "time"     // text: RFC 3339
	ShapeDuration ShapeKind = "duration" // text: seconds, "1.5s"
	ShapeEnum     ShapeKind = "enum"     // text: one of Values
	ShapeArray    ShapeKind = "array"
	ShapeMap      ShapeKind = "map"
	ShapeObject   ShapeKind = "object"
	ShapeAny      ShapeKind = "any" // whatever its type makes of it
	ShapeRaw      ShapeKind = "raw" // no JSON: bytes as they are
)

// maxShapeParts bounds what is told of one message: types that hold each other
// twice grow without end.
const maxShapeParts = 1000

// shapeOf describes messages of type T.
func shapeOf[T any]() Shape {
	d := describer{open: make(map[any]bool)}
	switch m := any(new(T)).(type) {
	case *[]byte:
		return Shape{Kind: ShapeRaw}
	case proto.Message:
		return d.message(m.ProtoReflect().Descriptor())
	}
	return d.goType(reflect.TypeFor[T]())
}

// A describer describes one message.
type describer struct {
	open  map[any]bool // the types around the one in hand: reflect.Type or protoreflect.FullName
	parts int
}

// within describes what is inside a type, unless that has no end. key is the
// type; nil: it has no name, and so cannot be inside itself.
func (d *describer) within(s Shape, key any, inside func(*Shape)) Shape {
	d.parts++
	if d.parts > maxShapeParts || d.open[key] {
		s.Cut = true
		return s
	}
	if key != nil {
		d.open[key] = true
		defer delete(d.open, key)
	}
	inside(&s)
	return s
}

var (
	timeType          = reflect.TypeFor[time.Time]()
	rawMessageType    = reflect.TypeFor[json.RawMessage]()
	numberType        = reflect.TypeFor[json.Number]()
	jsonMarshalerType = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// goType describes a type as encoding/json writes it.
func (d *describer) goType(t reflect.Type) Shape {
	for seen := 0; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen++; seen > maxShapeParts { // type P *P
			return Shape{Kind: ShapeAny, Type: t.String(), Cut: true}
		}
	}
	switch {
	case t == timeType:
		return Shape{Kind: ShapeTime}
	case t == rawMessageType:
		return Shape{Kind: ShapeAny}
	case t == numberType:
		return Shape{Kind: ShapeFloat, Type: t.String()}
	case reflect.PointerTo(t).Implements(jsonMarshalerType):
		return Shape{Kind: ShapeAny, Type: t.String()}
	case reflect.PointerTo(t).Implements(textMarshalerType):
		return Shape{Kind: ShapeString, Type: t.String()}
	}
	kind := goKind(t)
	s := Shape{Kind: kind}
	if t.Name() != "" && t.String() != string(kind) {
		s.Type = t.String()
	}
	var key any
	if t.Name() != "" {
		key = t
	}
	switch kind { //nolint:exhaustive // the others have nothing inside
	case ShapeArray:
		return d.within(s, key, func(s *Shape) {
			if t.Kind() == reflect.Array {
				s.Len = t.Len()
			}
			s.Elem = new(d.goType(t.Elem()))
		})
	case ShapeMap:
		s.Key = goKey(t.Key())
		return d.within(s, key, func(s *Shape) { s.Elem = new(d.goType(t.Elem())) })
	case ShapeObject:
		return d.within(s, key, func(s *Shape) {
			for _, f := range jsonFields(t) {
				field := ShapeField{Name: f.name, Optional: f.optional, Shape: d.goType(f.typ)}
				field.Quoted = f.quoted
				s.Fields = append(s.Fields, field)
			}
		})
	}
	d.parts++
	return s
}

// goKind returns the kind of a type that does not write itself.
func goKind(t reflect.Type) ShapeKind {
	switch t.Kind() {
	case reflect.Bool:
		return ShapeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return ShapeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return ShapeUint
	case reflect.Float32, reflect.Float64:
		return ShapeFloat
	case reflect.String:
		return ShapeString
	case reflect.Array:
		return ShapeArray
	case reflect.Slice:
		if e := t.Elem(); e.Kind() == reflect.Uint8 && !writesItself(e) {
			return ShapeBytes
		}
		return ShapeArray
	case reflect.Map:
		return ShapeMap
	case reflect.Struct:
		return ShapeObject
	case reflect.Interface, reflect.Pointer, reflect.Invalid, reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
	}
	return ShapeAny
}

// writesItself reports whether a type has a form of its own in JSON.
func writesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshalerType) || p.Implements(textMarshalerType)
}

// goKey returns what the keys of a map stand for.
func goKey(t reflect.Type) ShapeKind {
	if t.Kind() != reflect.String && reflect.PointerTo(t).Implements(textMarshalerType) {
		return ShapeString
	}
	return goKind(t)
}
