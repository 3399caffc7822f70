// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A Codec turns messages into bytes and back. Its methods are called from many
// goroutines at once.
type Codec interface {
	// ID is the codec's number on the wire: 0 to 63 are Rollcall's, 64 to 127
	// are the user's.
	ID() uint8

	// Name is for people: "json".
	Name() string

	// Append appends the encoding of message, a pointer, to b.
	Append(b []byte, message any) ([]byte, error)

	// Decode reads b, all of it, into message, a pointer to a zero value. The
	// message may not keep b.
	Decode(b []byte, message any) error
}

// The codecs of Rollcall.
var (
	Raw   Codec = rawCodec{}   // 0: a *[]byte as it is
	JSON  Codec = jsonCodec{}  // 1: encoding/json, and protojson for a proto.Message
	Proto Codec = protoCodec{} // 2: a proto.Message in the binary format
)

// The range of the users' codec numbers.
const (
	MinUserCodec = 64
	MaxUserCodec = 127
)

type rawCodec struct{}

func (rawCodec) ID() uint8    { return 0 }
func (rawCodec) Name() string { return "raw" }

func (rawCodec) Append(b []byte, message any) ([]byte, error) {
	p, ok := message.(*[]byte)
	if !ok {
		return b, fmt.Errorf("raw codec: message is a %T, give a *[]byte", message)
	}
	return append(b, *p...), nil
}

func (rawCodec) Decode(b []byte, message any) error {
	p, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("raw codec: message is a %T, give a *[]byte", message)
	}
	*p = append([]byte(nil), b...)
	return nil
}

type jsonCodec struct{}

func (jsonCodec) ID() uint8    { return 1 }
func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Append(b []byte, message any) ([]byte, error) {
	if m, ok := message.(proto.Message); ok {
		return protojson.MarshalOptions{}.MarshalAppend(b, m)
	}
	out, err := json.Marshal(message)
	if len(b) == 0 {
		return out, err
	}
	return append(b, out...), err
}

func (jsonCodec) Decode(b []byte, message any) error {
	if m, ok := message.(proto.Message); ok {
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
	}
	return json.Unmarshal(b, message)
}

type protoCodec struct{}

func (protoCodec) ID() uint8    { return 2 }
func (protoCodec) Name() string { return "protobuf" }

func (protoCodec) Append(b []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return b, fmt.Errorf("protobuf codec: %T is not a proto.Message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(b, m)
}

func (protoCodec) Decode(b []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("protobuf codec: %T is not a proto.Message", message)
	}
	return proto.Unmarshal(b, m)
}

// encode returns the encoding of a message. pooled says that it lies in memory of
// [transport.GetBuffer].
func encode(codec Codec, message any) (b []byte, pooled bool, err error) {
	m, ok := message.(proto.Message)
	if !ok || codec != Proto {
		b, err = codec.Append(nil, message)
		return b, false, err
	}
	room := transport.GetBuffer(proto.Size(m))
	b, err = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(room, m)
	if err == nil && cap(b) == cap(room) {
		return b, true, nil
	}
	transport.PutBuffer(room) // what was changed meanwhile by somebody else has outgrown it
	return b, false, err
}

// defaultCodec returns the codec of a message of type *T where the method names
// none.
func defaultCodec[T any]() Codec {
	switch any((*T)(nil)).(type) {
	case *[]byte:
		return Raw
	case proto.Message:
		return Proto
	}
	return JSON
}

// codecsFor returns the codecs that a message of type *T is accepted in: the
// chosen one, where the method names one, and what its type goes by anyway.
func codecsFor[T any](chosen Codec) []Codec {
	list := []Codec{defaultCodec[T]()}
	if list[0] == Proto {
		list = append(list, JSON)
	}
	if chosen != nil {
		list = append([]Codec{chosen}, slices.DeleteFunc(list, func(c Codec) bool { return c.ID() == chosen.ID() })...)
	}
	return list
}

// checkTypes returns why a method's messages could never be sent. It does not
// allocate where nothing is wrong, and costs a few nanoseconds.
func checkTypes[Req, Res any](method string, chosen Codec) error {
	req, res := reflect.TypeFor[Req](), reflect.TypeFor[Res]()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("rollcall: method %q: %s", method, fmt.Sprintf(format, args...))
	}
	if req.Kind() == reflect.Pointer || res.Kind() == reflect.Pointer {
		return bad("Method[%v, %v] is of pointers: give Method[%v, %v]", req, res, pointedTo(req), pointedTo(res))
	}
	codec := chosen
	if codec == nil {
		codec = defaultCodec[Req]()
	}
	_, reqProto := any((*Req)(nil)).(proto.Message)
	_, resProto := any((*Res)(nil)).(proto.Message)
	_, reqRaw := any((*Req)(nil)).(*[]byte)
	_, resRaw := any((*Res)(nil)).(*[]byte)
	switch {
	case reqProto != resProto && (chosen == nil || codec == Proto):
		return bad("one of request %v and reply %v is a protobuf message and the other is not: give two, or set Method.Codec to JSON", req, res)
	case codec == Proto && (!reqProto || !resProto):
		return bad("Method.Codec is protobuf, and request %v and reply %v are not both protobuf messages: give two, or another codec", req, res)
	case codec == Raw && (!reqRaw || !resRaw):
		return bad("the request is %v, and the reply %v: give two []byte, or set Method.Codec to JSON", req, res)
	case codec == JSON && (!encodable(req) || !encodable(res)):
		return bad("JSON has no form for one of request %v and reply %v: give types that have one, or another codec", req, res)
	}
	return nil
}

// pointedTo returns what is behind a type's pointers.
func pointedTo(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// encodable reports whether encoding/json may have a form for a type.
func encodable(t reflect.Type) bool {
	switch t.Kind() { //nolint:exhaustive // those without a form
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		p := reflect.PointerTo(t)
		return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
	return true
}
