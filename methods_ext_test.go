// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rollcall-rpc/rollcall"
)

// outline writes a shape in one line: what the tests below compare.
func outline(s rollcall.Shape) string {
	text := string(s.Kind)
	switch s.Kind { //nolint:exhaustive // the others are words
	case rollcall.ShapeArray:
		text = "[]" + outline(*s.Elem)
		if s.Len > 0 {
			text = fmt.Sprintf("[%d]%s", s.Len, outline(*s.Elem))
		}
		if s.Elem == nil {
			text = "[]"
		}
	case rollcall.ShapeMap:
		text = fmt.Sprintf("map[%s]%s", s.Key, outline(*s.Elem))
	case rollcall.ShapeEnum:
		text = "enum(" + strings.Join(s.Values, "|") + ")"
	case rollcall.ShapeObject:
		var fields []string
		for _, f := range s.Fields {
			name := f.Name
			if f.Optional {
				name += "?"
			}
			if f.Oneof != "" {
				name += "@" + f.Oneof
			}
			fields = append(fields, name+" "+outline(f.Shape))
		}
		text = "{" + strings.Join(fields, ", ") + "}"
		if s.Cut {
			text = "…" + s.Type
		}
	}
	if s.Quoted {
		text = `"` + text + `"`
	}
	return text
}

type (
	inner struct {
		Deep  string `json:"deep"`
		Taken string `json:"taken"`
	}
	hidden struct{ Shown int8 }
	tree   struct {
		Name string  `json:"name"`
		Kids []*tree `json:"kids,omitempty"`
	}
	everything struct {
		inner
		*hidden
		B        bool              `json:"b"`
		I        int64             `json:"i,string"`
		U        uint              `json:"u,omitzero"`
		F        *float32          `json:"f,omitempty"`
		Taken    []byte            `json:"taken"`
		When     time.Time         `json:"when"`
		Long     time.Duration     `json:"long"`
		IDs      [2]netip.Addr     `json:"ids"`
		ByNumber map[int][]string  `json:"by_number"`
		Any      map[string]any    `json:"any"`
		Raw      json.RawMessage   `json:"raw"`
		Big      big.Int           `json:"big"`
		Anon     []struct{ X int } `json:"anon"`
		Tree     tree              `json:"tree"`
		Skipped  int               `json:"-"`
		Dash     int               `json:"-,"` //nolint:staticcheck // it is a name
		Untagged string
		private  int //nolint:unused // JSON does not see it
	}
)

func TestMethodsMethod(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
		rollcall.Handle(s, rollcall.Method[everything, tree]{Name: "Go"}, func(context.Context, *everything) (*tree, error) { return nil, nil })
		rollcall.Handle(s, rollcall.Method[descriptorpb.EnumValueOptions, durationpb.Duration]{Name: "Proto"}, func(context.Context, *descriptorpb.EnumValueOptions) (*durationpb.Duration, error) {
			return nil, nil
		})
		rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "Raw"}, func(context.Context, *[]byte) (*[]byte, error) { return nil, nil })
	})
	if got, want := s.State().Methods, []string{"Divide/Divide", "Go", "Proto", "Raw"}; !slices.Equal(got, want) {
		t.Errorf("the state shows %q, want the user's methods, %q", got, want)
	}
	reply, err := rollcall.MethodsMethod.Call(within(t), staticClient(t, s.addr), &rollcall.MethodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range reply.Methods {
		line := fmt.Sprintf("%s %v %t %t", m.Name, m.Codecs, m.Idempotent, m.AnyCodec)
		if m.Standard {
			line += " standard"
		}
		got = append(got, line)
	}
	want := []string{
		"Divide/Divide [{1 json}] true false", "Go [{1 json}] false false", "Proto [{2 protobuf} {1 json}] false false", "Raw [{0 raw}] false true",
		"rollcall/Health [{1 json}] true false standard", "rollcall/Methods [{1 json}] true false standard",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	method := func(i int) rollcall.MethodInfo { return reply.Methods[i] }
	for _, tt := range []struct{ got, want string }{
		{outline(method(0).Request), "{Num1 int, Num2 int}"},
		{outline(method(0).Reply), "{Value float, Server string}"},
		{method(0).Request.Fields[0].Type, "int32"},
		{method(0).Request.Type, "rollcall_test.fraction"},
		{outline(method(1).Request), `{deep string, Shown int, b bool, i "int", u? uint, f? float, taken bytes, when time, long int, ` +
			`ids [2]string, by_number map[int][]string, any map[string]any, raw any, big any, anon []{X int}, ` +
			`tree {name string, kids? []…rollcall_test.tree}, - int, Untagged string}`},
		{method(2).Request.Type, "google.protobuf.EnumValueOptions"},
		{method(2).Reply.Type, "google.protobuf.Duration"},
		{outline(method(2).Reply), "duration"},
		{outline(method(3).Request), "raw"},
		{outline(method(4).Reply), "{ready bool, why? string, serving bool, draining bool, registered bool, in_flight int}"},
	} {
		if tt.got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", tt.got, tt.want)
		}
	}
	proto := outline(method(2).Request)
	for _, part := range []string{
		"{deprecated? bool, ", "features? {fieldPresence? enum(FIELD_PRESENCE_UNKNOWN|EXPLICIT|IMPLICIT|LEGACY_REQUIRED)",
		"uninterpretedOption? []{name? []{namePart string, isExtension bool}, identifierValue? string, positiveIntValue? \"uint\", negativeIntValue? \"int\"",
	} {
		if !strings.Contains(proto, part) {
			t.Errorf("%q is missing in\n%s", part, proto)
		}
	}
}
