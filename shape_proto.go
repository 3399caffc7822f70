// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "google.golang.org/protobuf/reflect/protoreflect"

// message describes a protobuf message as protojson writes it.
func (d *describer) message(m protoreflect.MessageDescriptor) Shape {
	name := m.FullName()
	if s, ok := d.wellKnown(m); ok {
		s.Type = string(name)
		return s
	}
	return d.within(Shape{Kind: ShapeObject, Type: string(name)}, name, func(s *Shape) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			field := ShapeField{Name: f.JSONName(), Shape: d.field(f), Optional: f.Cardinality() != protoreflect.Required}
			if one := f.ContainingOneof(); one != nil && !one.IsSynthetic() {
				field.Oneof = string(one.Name())
			}
			s.Fields = append(s.Fields, field)
		}
	})
}

// wellKnown describes the messages to which protojson gives a form of their own.
func (d *describer) wellKnown(m protoreflect.MessageDescriptor) (Shape, bool) {
	if m.ParentFile().Package() != "google.protobuf" {
		return Shape{}, false
	}
	switch m.Name() {
	case "Timestamp":
		return Shape{Kind: ShapeTime}, true
	case "Duration":
		return Shape{Kind: ShapeDuration}, true
	case "FieldMask":
		return Shape{Kind: ShapeString}, true
	case "Struct":
		return Shape{Kind: ShapeMap, Key: ShapeString, Elem: &Shape{Kind: ShapeAny}}, true
	case "ListValue":
		return Shape{Kind: ShapeArray, Elem: &Shape{Kind: ShapeAny}}, true
	case "Value", "Any":
		return Shape{Kind: ShapeAny}, true
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		return d.single(m.Fields().ByName("value")), true
	}
	return Shape{}, false
}

// field describes a field, be it repeated, a map or single.
func (d *describer) field(f protoreflect.FieldDescriptor) Shape {
	switch {
	case f.IsMap():
		return Shape{Kind: ShapeMap, Key: d.single(f.MapKey()).Kind, Elem: new(d.single(f.MapValue()))}
	case f.IsList():
		return Shape{Kind: ShapeArray, Elem: new(d.single(f))}
	}
	return d.single(f)
}

// single describes one value of a field.
func (d *describer) single(f protoreflect.FieldDescriptor) Shape {
	d.parts++
	s := Shape{Type: f.Kind().String()}
	switch f.Kind() {
	case protoreflect.BoolKind:
		s.Kind = ShapeBool
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		s.Kind = ShapeInt
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		s.Kind, s.Quoted = ShapeInt, true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		s.Kind = ShapeUint
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		s.Kind, s.Quoted = ShapeUint, true
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		s.Kind = ShapeFloat
	case protoreflect.StringKind:
		s.Kind = ShapeString
	case protoreflect.BytesKind:
		s.Kind = ShapeBytes
	case protoreflect.EnumKind:
		return enum(f.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return d.message(f.Message())
	}
	if s.Type == string(s.Kind) {
		s.Type = ""
	}
	return s
}

func enum(e protoreflect.EnumDescriptor) Shape {
	s := Shape{Kind: ShapeEnum, Type: string(e.FullName())}
	for i := range e.Values().Len() {
		s.Values = append(s.Values, string(e.Values().Get(i).Name()))
	}
	return s
}
