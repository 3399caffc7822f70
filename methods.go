// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// MethodsMethod asks one server what it answers, as `rollcall call` and other
// tools do that know no message types. Every server answers it, behind its
// admissions and interceptors, unless it has a handler of its own for that name.
var MethodsMethod = Method[MethodsRequest, MethodsReply]{Name: "rollcall/Methods", Idempotent: true, Codec: JSON}

// A MethodsRequest is the request of [MethodsMethod]: nothing.
type MethodsRequest struct{}

// A MethodsReply lists the methods of a server.
type MethodsReply struct {
	Methods []MethodInfo `json:"methods"` // by name
}

// A MethodInfo is a method as its server declares it.
type MethodInfo struct {
	Name       string      `json:"name"`
	Standard   bool        `json:"standard,omitempty"` // Rollcall itself answers it
	Idempotent bool        `json:"idempotent"`         // running it twice does no harm
	Codecs     []CodecInfo `json:"codecs"`             // that requests are accepted in, the method's own first
	AnyCodec   bool        `json:"any_codec,omitempty"`
	Request    Shape       `json:"request"`
	Reply      Shape       `json:"reply"`
}

// A CodecInfo names a [Codec].
type CodecInfo struct {
	ID   uint8  `json:"id"`
	Name string `json:"name"`
}

// standardMethods returns the methods that every server answers.
func standardMethods(s *Server) (map[string]*handled, error) {
	health, err := newHandled(s, HealthMethod, func(context.Context, *HealthRequest) (*HealthReply, error) {
		reply := s.Health()
		return &reply, nil
	})
	if err != nil {
		return nil, err
	}
	methods, err := newHandled(s, MethodsMethod, func(context.Context, *MethodsRequest) (*MethodsReply, error) {
		return &MethodsReply{Methods: s.describeMethods()}, nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]*handled{health.name: health, methods.name: methods}, nil
}

// describeMethods describes every method that the server answers.
func (s *Server) describeMethods() []MethodInfo {
	all := maps.Clone(s.standard)
	maps.Copy(all, *s.methods.Load())
	list := make([]MethodInfo, 0, len(all))
	for _, h := range all {
		info := MethodInfo{Name: h.name, Standard: h == s.standard[h.name], Idempotent: h.idempotent, AnyCodec: h.anyCodec}
		for _, c := range h.codecs {
			info.Codecs = append(info.Codecs, CodecInfo{ID: c.ID(), Name: c.Name()})
		}
		info.Request, info.Reply = h.shapes()
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b MethodInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
