// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"encoding/json"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The structs that embed others, with names that clash.
type (
	one   struct{ A, Same, Two int }
	other struct {
		B    int
		Same int `json:"Same"`
	}
	third  struct{ Same, C int }
	deeper struct {
		third
		A int
	}
	twice1 struct{ Core }
	twice2 struct{ Core }
	thrice struct{ twice1 }
	way1   struct{ thrice }
	way2   struct{ thrice }
	// Core is embedded on several ways.
	Core struct{ D int }
	// Number is no struct.
	Number int
	small  int
)

// Which fields there are is what encoding/json says.
func TestJSONFields(t *testing.T) {
	for _, v := range []any{
		struct{ one }{},
		struct {
			one
			other
		}{},
		struct {
			one
			third
		}{},
		struct {
			deeper
			one `json:"one"`
			A   string
		}{},
		struct {
			twice1
			twice2
		}{},
		struct {
			twice1
			Core
		}{},
		struct {
			thrice
			twice2
		}{},
		struct {
			way1
			way2
		}{},
		struct {
			X struct{ twice1 }
			Number
			small
			Z string `json:"bad\"name"` //nolint:staticcheck // on purpose
			Y string `json:",omitempty"`
		}{Y: "y"},
	} {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		got := jsonFields(reflect.TypeOf(v))
		for _, f := range got {
			if _, ok := want[f.name]; !ok {
				t.Errorf("%T: %q is not in %s", v, f.name, encoded)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%T: %d fields, want those of %s", v, len(got), encoded)
		}
	}
}

type (
	ping struct{ Pong *pong }
	pong struct {
		Ping []ping
		Self map[string]pong
	}
	list  []list
	wide0 struct{ A, B, C, D wide1 }
	wide1 struct{ A, B, C, D wide2 }
	wide2 struct{ A, B, C, D wide3 }
	wide3 struct{ A, B, C, D wide4 }
	wide4 struct{ A, B, C, D wide5 }
	wide5 struct{ A, B, C, D int }
)

// Types that hold themselves, and those that grow without end, are cut.
func TestShapeIsBounded(t *testing.T) {
	s := shapeOf[ping]()
	inPong := s.Fields[0].Fields
	if again := inPong[0].Elem; !again.Cut || again.Type != "rollcall.ping" || again.Fields != nil {
		t.Errorf("got %+v", again)
	}
	if again := inPong[1].Elem; !again.Cut || again.Type != "rollcall.pong" {
		t.Errorf("got %+v", again)
	}
	if s := shapeOf[list](); !s.Elem.Cut {
		t.Errorf("got %+v", s)
	}
	encoded, err := json.Marshal(shapeOf[wide0]())
	if err != nil || len(encoded) > 200<<10 {
		t.Errorf("%d bytes, %v", len(encoded), err)
	}
	d := describer{open: make(map[any]bool)}
	message := d.message((*descriptorpb.DescriptorProto)(nil).ProtoReflect().Descriptor())
	for _, f := range message.Fields {
		if f.Name == "nestedType" && !f.Elem.Cut {
			t.Errorf("got %+v", f)
		}
	}
}

// What descriptors alone can tell: oneofs, maps, presence.
func TestShapeOfOneofsAndMaps(t *testing.T) {
	field := func(name string, number int32, typ descriptorpb.FieldDescriptorProto_Type, more *descriptorpb.FieldDescriptorProto) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: new(name), Number: new(number), Type: new(typ), Label: new(descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL),
		}
		proto.Merge(f, more)
		return f
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("x.proto"), Package: new("x"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/struct.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("M"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("first_choice", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING, &descriptorpb.FieldDescriptorProto{OneofIndex: new(int32(0))}),
				field("second", 2, descriptorpb.FieldDescriptorProto_TYPE_BYTES, &descriptorpb.FieldDescriptorProto{OneofIndex: new(int32(0)), JsonName: new("other")}),
				field("maybe", 3, descriptorpb.FieldDescriptorProto_TYPE_UINT64, &descriptorpb.FieldDescriptorProto{OneofIndex: new(int32(1)), Proto3Optional: new(true)}),
				field("by_id", 4, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, &descriptorpb.FieldDescriptorProto{
					Label: new(descriptorpb.FieldDescriptorProto_LABEL_REPEATED), TypeName: new(".x.M.ByIdEntry"),
				}),
			},
			OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: new("choice")}, {Name: new("_maybe")}},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name: new("ByIdEntry"), Options: &descriptorpb.MessageOptions{MapEntry: new(true)},
				Field: []*descriptorpb.FieldDescriptorProto{
					field("key", 1, descriptorpb.FieldDescriptorProto_TYPE_INT32, nil),
					field("value", 2, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, &descriptorpb.FieldDescriptorProto{TypeName: new(".google.protobuf.Struct")}),
				},
			}},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	d := describer{open: make(map[any]bool)}
	got, err := json.Marshal(d.message(file.Messages().Get(0)))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kind":"object","type":"x.M","fields":[` +
		`{"name":"firstChoice","kind":"string","optional":true,"oneof":"choice"},` +
		`{"name":"other","kind":"bytes","optional":true,"oneof":"choice"},` +
		`{"name":"maybe","kind":"uint","type":"uint64","quoted":true,"optional":true},` +
		`{"name":"byId","kind":"map","key":"int","elem":{"kind":"map","type":"google.protobuf.Struct","key":"string","elem":{"kind":"any"}},"optional":true}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := shapeOf[structpb.Value](); s.Kind != ShapeAny || s.Type != "google.protobuf.Value" {
		t.Errorf("got %+v", s)
	}
}
