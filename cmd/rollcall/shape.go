// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rollcall-rpc/rollcall"
)

// shapeWidth is how wide a shape may be on one line.
const shapeWidth = 72

// describe writes a shape for people, on one line where that is short enough, else
// with a line for each field, below an indent.
func describe(s *rollcall.Shape, indent string) string {
	if line := shapeLine(s); len(line) <= shapeWidth {
		return line
	}
	inner := indent + "  "
	switch s.Kind { //nolint:exhaustive // the others have nothing inside
	case rollcall.ShapeObject:
		var b strings.Builder
		b.WriteString("{\n")
		for i := range s.Fields {
			f := &s.Fields[i]
			fmt.Fprintf(&b, "%s%s: %s", inner, fieldName(f), describe(&f.Shape, inner))
			if f.Oneof != "" {
				fmt.Fprintf(&b, "  (one of %s)", orDash(f.Oneof))
			}
			b.WriteString("\n")
		}
		return b.String() + indent + "}"
	case rollcall.ShapeArray:
		if s.Elem != nil {
			return "[" + describe(s.Elem, indent) + "]"
		}
	case rollcall.ShapeMap:
		if s.Elem != nil {
			return "map of " + string(s.Key) + " to " + describe(s.Elem, indent)
		}
	}
	return shapeLine(s)
}

// shapeLine writes a shape on one line.
func shapeLine(s *rollcall.Shape) string {
	text := orDash(string(s.Kind))
	switch s.Kind { //nolint:exhaustive // the others are called what they are
	case rollcall.ShapeObject:
		var fields []string
		for i := range s.Fields {
			fields = append(fields, fieldName(&s.Fields[i])+": "+shapeLine(&s.Fields[i].Shape))
		}
		text = "{" + strings.Join(fields, ", ") + "}"
		if s.Cut {
			text = orDash(s.Type) + " {…}"
		}
	case rollcall.ShapeArray:
		if s.Elem != nil {
			text = "[" + shapeLine(s.Elem) + "]"
		}
		if s.Len > 0 {
			text += fmt.Sprintf(" of %d", s.Len)
		}
	case rollcall.ShapeMap:
		if s.Elem != nil {
			text = "map of " + orDash(string(s.Key)) + " to " + shapeLine(s.Elem)
		}
	case rollcall.ShapeEnum:
		text = orDash(strings.Join(s.Values, " | "))
	case rollcall.ShapeBytes:
		text = "base64"
	case rollcall.ShapeRaw:
		text = "bytes, not JSON"
	}
	if s.Quoted {
		text += ` in ""`
	}
	return text
}

func fieldName(f *rollcall.ShapeField) string {
	if f.Optional {
		return orDash(f.Name) + "?"
	}
	return orDash(f.Name)
}

// skeleton writes a request of a shape, to be edited: each value is the simplest
// of its type, or tells it.
func skeleton(s *rollcall.Shape) []byte {
	var b bytes.Buffer
	writeSkeleton(&b, s)
	var indented bytes.Buffer
	if err := json.Indent(&indented, b.Bytes(), "", "  "); err != nil {
		return b.Bytes() // of a shape that tells of things that JSON does not have
	}
	return indented.Bytes()
}

func writeSkeleton(b *bytes.Buffer, s *rollcall.Shape) {
	plain := map[rollcall.ShapeKind]string{
		rollcall.ShapeBool: "false", rollcall.ShapeInt: "0", rollcall.ShapeUint: "0", rollcall.ShapeFloat: "0",
		rollcall.ShapeString: `"string"`, rollcall.ShapeBytes: `"YmFzZTY0"`, rollcall.ShapeTime: `"2006-01-02T15:04:05Z"`, rollcall.ShapeDuration: `"1.5s"`,
	}[s.Kind]
	switch {
	case s.Cut || s.Kind == rollcall.ShapeAny:
		plain = "null"
	case s.Kind == rollcall.ShapeEnum && len(s.Values) > 0:
		quoted, _ := json.Marshal(s.Values[0]) // text always encodes
		plain = string(quoted)
	case s.Kind == rollcall.ShapeArray && s.Elem != nil:
		b.WriteByte('[')
		for i := range min(max(s.Len, 1), 16) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeSkeleton(b, s.Elem)
		}
		b.WriteByte(']')
		return
	case s.Kind == rollcall.ShapeMap && s.Elem != nil:
		key := string(s.Key)
		if s.Key == rollcall.ShapeInt || s.Key == rollcall.ShapeUint {
			key = "0"
		}
		fmt.Fprintf(b, "{%q:", key)
		writeSkeleton(b, s.Elem)
		b.WriteByte('}')
		return
	case s.Kind == rollcall.ShapeObject:
		writeObject(b, s)
		return
	}
	if plain == "" {
		plain = "null"
	}
	if s.Quoted {
		plain = `"` + plain + `"`
	}
	b.WriteString(plain)
}

// writeObject writes an object: of fields that exclude each other the first.
func writeObject(b *bytes.Buffer, s *rollcall.Shape) {
	chosen := map[string]bool{}
	b.WriteByte('{')
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Oneof != "" && chosen[f.Oneof] {
			continue
		}
		chosen[f.Oneof] = true
		if b.Bytes()[b.Len()-1] != '{' {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(f.Name) // text always encodes
		b.Write(name)
		b.WriteByte(':')
		writeSkeleton(b, &f.Shape)
	}
	b.WriteByte('}')
}
