// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk"
)

// What cannot be a server's option is reported by Serve, with the field, the
// value and the fix; so is every one of several.
func TestServerOptionsOutOfRange(t *testing.T) {
	list := new(discovery.Memory)
	tests := []struct {
		name string
		opts rollcall.ServerOptions
		says []string
	}{
		{"target without path", rollcall.ServerOptions{Registry: "zk://127.0.0.1:2181"}, []string{`ServerOptions.Registry: target "zk://127.0.0.1:2181": path "": write`}},
		{"target without port", rollcall.ServerOptions{Registry: "zk://h/rpc"}, []string{`host "h": write host:port`}},
		{"target of another scheme", rollcall.ServerOptions{Registry: "etcd://h:1/rpc"}, []string{`scheme "etcd": write zk://`}},
		{"negative message", rollcall.ServerOptions{MaxMessageBytes: -1}, []string{"ServerOptions.MaxMessageBytes -1: give"}},
		{"negative metadata", rollcall.ServerOptions{MaxMetadataBytes: -1}, []string{"ServerOptions.MaxMetadataBytes -1: give"}},
		{"negative streams", rollcall.ServerOptions{MaxStreams: -1}, []string{"ServerOptions.MaxStreams -1: give"}},
		{"negative calls", rollcall.ServerOptions{MaxCalls: -1, MethodMaxCalls: map[string]int{"M": -2, "/*": 3}}, []string{
			"ServerOptions.MaxCalls -1: give", `ServerOptions.MethodMaxCalls["M"] -2: give`, `ServerOptions.MethodMaxCalls["/*"]: give`,
		}},
		{"no place for new connections", rollcall.ServerOptions{MaxPendingConnections: -5}, []string{"ServerOptions.MaxPendingConnections -5: give"}},
		{"negative session", rollcall.ServerOptions{Registry: "zk://127.0.0.1:1/rpc", ZooKeeper: zookeeper.Options{SessionTimeout: -time.Second}}, []string{"SessionTimeout is -1s: "}},
		{"ID not UTF-8", rollcall.ServerOptions{ID: "\xff"}, []string{`ServerOptions.ID "\xff": give UTF-8`}},
		{"auth without scheme", rollcall.ServerOptions{Registry: "zk://127.0.0.1:1/rpc", ZooKeeper: zookeeper.Options{Auths: []zk.Auth{{}}}}, []string{"Auths[0].Scheme is empty"}},
		{"settings without a registry", rollcall.ServerOptions{ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}}, []string{"ServerOptions.ZooKeeper is set"}},
		{"settings beside a registrar", rollcall.ServerOptions{Registrar: list, ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}}, []string{"ServerOptions.ZooKeeper is set"}},
		{"zone not UTF-8", rollcall.ServerOptions{Registry: "zk://127.0.0.1:1/rpc", Zone: "\xff"}, []string{`zone "\xff": write UTF-8`}},
		{"metadata of a MiB", rollcall.ServerOptions{Registry: "zk://127.0.0.1:1/rpc", Metadata: map[string]string{"k": strings.Repeat("x", 1<<20)}}, []string{"data", "an instance has at most"}},
		{"metadata over the greatest", rollcall.ServerOptions{MaxMetadataBytes: 1 << 20}, []string{"ServerOptions.MaxMetadataBytes 1048576: give at most 61440"}},
		{"streams over the greatest", rollcall.ServerOptions{MaxStreams: 2 << 20}, []string{"ServerOptions.MaxStreams 2097152: give at most 1048576"}},
		{"protocol twice", rollcall.ServerOptions{Protocols: []rollcall.Protocol{shout, shout}}, []string{`Protocols: "` + shout.Name + `" is spoken already: give`}},
		{"Rollcall's own protocol", rollcall.ServerOptions{Protocols: []rollcall.Protocol{{Name: rollcall.ProtocolName, Match: shout.Match, Serve: shout.Serve}}}, []string{`Protocols: "rollcall/1" is spoken already`}},
		{"protocol without name", rollcall.ServerOptions{Protocols: []rollcall.Protocol{{Match: shout.Match, Serve: shout.Serve}}}, []string{`Protocols: "" needs Name`}},
		{"advertised multicast", rollcall.ServerOptions{Registrar: list, Advertise: "224.0.0.1"}, []string{`Advertise "224.0.0.1"`, "multicast"}},
		{"several", rollcall.ServerOptions{Weight: 99999, MaxStreams: -2, Registry: "x"}, []string{"Weight 99999: give at most 10000", "MaxStreams -2", `scheme "x"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := rollcall.NewServer(tt.opts).ListenAndServe(within(t), "127.0.0.1:0")
			for _, want := range tt.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error that says %q", err, want)
				}
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestListenOnWhatIsNoAddress(t *testing.T) {
	for addr, says := range map[string]string{
		"127.0.0.1":         "missing port",
		"127.0.0.1:http-x":  "http-x",
		"127.0.0.1:70000":   "70000",
		"[::1:80":           "[::1:80",
		"192.0.2.1:1":       "192.0.2.1:1", // no machine has it
		"no.such.invalid:1": "no.such.invalid",
	} {
		err := rollcall.NewServer(rollcall.ServerOptions{}).ListenAndServe(within(t), addr)
		if err == nil || !strings.HasPrefix(err.Error(), "rollcall: listen") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want an error of listen that says %q", addr, err, says)
		}
	}
}

func TestClientOptionsOutOfRange(t *testing.T) {
	for says, opts := range map[string]rollcall.ClientOptions{
		"ClientOptions.KeepaliveMisses -1: give":                    {KeepaliveMisses: -1},
		"ClientOptions.MaxMessageBytes -1: give":                    {MaxMessageBytes: -1},
		"ClientOptions.MaxMetadataBytes -1: give":                   {MaxMetadataBytes: -1},
		"ClientOptions.MaxMetadataBytes 65536: give at most 61440":  {MaxMetadataBytes: 64 << 10},
		"ClientOptions.ConnectTimeout -1s: give":                    {ConnectTimeout: -time.Second},
		"SessionTimeout is -1s: ":                                   {ZooKeeper: zookeeper.Options{SessionTimeout: -time.Second}},
		"Auths[0].Scheme is empty":                                  {ZooKeeper: zookeeper.Options{Auths: []zk.Auth{{}}}},
		"ClientOptions.ZooKeeper is set":                            {Resolver: new(discovery.Memory), ZooKeeper: zookeeper.Options{SessionTimeout: 1}},
		`ClientOptions.Defaults.Codec belongs to one call`:          {Defaults: rollcall.CallOptions{Codec: 1}},
		`ClientOptions.Defaults.Timeout -1s: give`:                  {Defaults: rollcall.CallOptions{Timeout: -time.Second}},
		`ClientOptions.Methods["a*b"]: give the name`:               {Methods: map[string]rollcall.CallOptions{"a*b": {}}},
		`ClientOptions.Methods["S/*"].Report belongs to one call`:   {Methods: map[string]rollcall.CallOptions{"S/*": {Report: new(rollcall.Report)}}},
		`ClientOptions.Interceptors[0] is nil`:                      {Interceptors: []rollcall.Interceptor{nil}},
		`ClientOptions.Dialects: "x" needs Protocol and Dial`:       {Dialects: []rollcall.Dialect{{Protocol: "x"}}},
		`ClientOptions.Dialects: "x" is spoken already: give`:       {Dialects: []rollcall.Dialect{{Protocol: "x"}, {Protocol: "x"}}},
		`ClientOptions.Dialects["x"].MaxConnections -1: give`:       {Dialects: []rollcall.Dialect{{Protocol: "x", MaxConnections: -1}}},
		`ClientOptions.Dialects["x"].CallsPerConnection -2: give`:   {Dialects: []rollcall.Dialect{{Protocol: "x", CallsPerConnection: -2}}},
		`ClientOptions.DefaultProtocol "thrift": give "rollcall/1"`: {DefaultProtocol: "thrift"},
	} {
		c, err := rollcall.NewClient("zk://127.0.0.1:1/rpc", opts)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
		if err == nil {
			c.Close()
		}
	}
}

// What cannot be a call's option fails the call, before anything is sent, with the
// field, the value and the fix; so does what cannot be a method's.
func TestCallOptionsOutOfRange(t *testing.T) {
	c := newClient(t, new(discovery.Memory), rollcall.ClientOptions{})
	for says, opts := range map[string]rollcall.CallOptions{
		"CallOptions.MaxAttempts -1: give 1 or more, or 0":      {MaxAttempts: -1, WaitForReady: true},
		"CallOptions.Timeout -1s: give a positive duration":     {Timeout: -time.Second, WaitForReady: true},
		"CallOptions.AttemptTimeout -1ns: give a positive dura": {AttemptTimeout: -1, WaitForReady: true},
	} {
		_, err := c.Invoke(within(t), "M", nil, opts)
		wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, says)
	}
	for says, m := range map[string]rollcall.Method[int, int]{
		"Method.Timeout -1s: give a positive duration":         {Name: "M", Timeout: -time.Second},
		"Method.AttemptTimeout -1s: give a positive duration,": {Name: "M", AttemptTimeout: -time.Second},
	} {
		_, err := m.CallWith(within(t), c, new(1), rollcall.CallOptions{WaitForReady: true})
		wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, says)
	}
}

// wantError checks an error of a call, and that it says something.
func wantError(t *testing.T, err error, code rollcall.Code, reason string, executed rollcall.Executed, says ...string) {
	t.Helper()
	var e *rollcall.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want a *rollcall.Error", err)
		return
	}
	if e.Code != code || e.Reason != reason || e.Executed != executed {
		t.Errorf("got %v %s, executed %v (%v), want %v %s, executed %v", e.Code, e.Reason, e.Executed, err, code, reason, executed)
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// Messages and metadata over a limit are refused in either direction, before
// they are sent where the limit is known, and the connection lives on.
func TestMessagesOverTheirLimits(t *testing.T) {
	type size struct {
		Body, Metadata int // of the reply
	}
	grow := rollcall.Method[size, []byte]{Name: "Grow"}
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	s := start(t, "", rollcall.ServerOptions{MaxMessageBytes: 1000, MaxMetadataBytes: 100}, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
		rollcall.Handle(s, rollcall.Method[size, string]{Name: grow.Name}, func(ctx context.Context, n *size) (*string, error) {
			info, _ := rollcall.InfoFromContext(ctx)
			info.ReplyMetadata = rollcall.Metadata{"k": strings.Repeat("m", n.Metadata)}
			return new(strings.Repeat("x", n.Body)), nil
		})
	})
	c := clientAt(t, s.addr, rollcall.ClientOptions{MaxMessageBytes: 500, MaxMetadataBytes: 50})
	if err := c.Ready(within(t)); err != nil { // the server's limits are known
		t.Fatal(err)
	}
	const tooLarge, fix = rollcall.CodeResourceExhausted, "send less, or raise the receiver's limit"

	_, err := echo.Call(within(t), c, new(make([]byte, 1001)))
	wantError(t, err, tooLarge, rollcall.ReasonMessageTooLarge, rollcall.ExecutedNo, "message of 1001 bytes", "limit of 1000 bytes", fix, s.addr)
	_, err = echo.CallWith(within(t), c, new([]byte), rollcall.CallOptions{Metadata: rollcall.Metadata{"k": strings.Repeat("m", 100)}})
	wantError(t, err, tooLarge, rollcall.ReasonMetadataTooLarge, rollcall.ExecutedNo, "metadata of 104 bytes", "limit of 100 bytes", fix)
	_, err = echo.CallWith(within(t), c, new([]byte), rollcall.CallOptions{Metadata: rollcall.Metadata{strings.Repeat("k", 256): ""}})
	wantError(t, err, tooLarge, rollcall.ReasonMetadataTooLarge, rollcall.ExecutedNo, "256")
	_, err = grow.Call(within(t), c, &size{Body: 499})
	wantError(t, err, tooLarge, rollcall.ReasonMessageTooLarge, rollcall.ExecutedYes, "reply of 501 bytes", "limit of 500 bytes", fix)
	_, err = grow.Call(within(t), c, &size{Metadata: 50})
	wantError(t, err, tooLarge, rollcall.ReasonMetadataTooLarge, rollcall.ExecutedYes, "metadata of 54 bytes", "limit of 50 bytes", fix)

	// A client that has not met the server yet is told call by call.
	early := staticClient(t, s.addr)
	_, err = echo.Call(within(t), early, new(make([]byte, 100_000)))
	wantError(t, err, tooLarge, rollcall.ReasonMessageTooLarge, rollcall.ExecutedNo, "limit of 1000 bytes", fix)

	if got, err := echo.Call(within(t), c, new(make([]byte, 500))); err != nil || len(*got) != 500 {
		t.Errorf("the connection is not left usable: %v", err)
	}
}

// A name that no method can have is refused before anything is sent, in a short
// error.
func TestMethodNames(t *testing.T) {
	c := staticClient(t, freeAddr(t))
	for _, name := range []string{"", strings.Repeat("m", 256), strings.Repeat("m", 1<<20), "\xff"} {
		_, err := c.Invoke(within(t), name, nil, rollcall.CallOptions{})
		wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, "method name", "give 1 to 255 bytes of UTF-8")
		if len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes for a name of %d", len(err.Error()), len(name))
		}
	}
}

// A request that cannot be written, and replies that cannot be read, are errors
// of the call that name the method, the codec and the reason.
func TestPayloadsThatDoNotDecode(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "Garbage"}, func(context.Context, *[]byte) (*[]byte, error) {
			return new([]byte(`{"Value":"six"`)), nil
		})
		rollcall.Handle(s, rollcall.Method[string, any]{Name: "NoForm"}, func(context.Context, *string) (*any, error) {
			return new(any(func() {})), nil
		})
		rollcall.Handle(s, rollcall.Method[wrapperspb.StringValue, wrapperspb.StringValue]{Name: "Upper"}, func(_ context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			return in, nil
		})
	})
	c := staticClient(t, s.addr)
	garbage := rollcall.Method[fraction, quotient]{Name: "Garbage"}
	_, err := garbage.Call(within(t), c, &fraction{})
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedYes, "Garbage: reply of 14 bytes", "does not decode as json", "unexpected end")
	_, err = rollcall.Method[wrapperspb.StringValue, wrapperspb.StringValue]{Name: "Garbage"}.Call(within(t), c, wrapperspb.String("x"))
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedYes, "does not decode as protobuf")
	_, err = rollcall.Method[string, string]{Name: "NoForm"}.Call(within(t), c, new(""))
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedYes, "NoForm", "does not encode as json", "func()")
	_, err = rollcall.Method[chan int, string]{Name: "NoForm"}.Call(within(t), c, new(chan int))
	wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, `"NoForm"`, "JSON has no form", "chan int")
	for codec, body := range map[uint8]string{1: `{"value":`, 2: "\x0a\xff"} {
		_, err = c.Invoke(within(t), "Upper", []byte(body), rollcall.CallOptions{Codec: codec})
		wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, "Upper", "does not decode as")
	}
	if _, err := c.Invoke(within(t), "Upper", []byte(`"x"`), rollcall.CallOptions{Codec: 1}); err != nil {
		t.Errorf("the server is not left running: %v", err)
	}
}

// mumbler answers in a codec that nobody asked for.
type mumbler struct{ net.Conn }

func (mumbler) Call(context.Context, rollcall.Request) (rollcall.Reply, error) {
	return rollcall.Reply{Codec: 9, Body: []byte(`{}`)}, nil
}

func TestReplyInAnotherCodec(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(*rollcall.Server) {})
	host, port, _ := net.SplitHostPort(s.addr)
	in := discovery.Instance{Name: "x", Host: host, Port: must(net.LookupPort("tcp", port)), Weight: 1, Protocols: []string{"mumble"}}
	c := newClient(t, listOf(in), rollcall.ClientOptions{Dialects: []rollcall.Dialect{{
		Protocol: "mumble",
		Dial: func(_ context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
			return mumbler{conn}, nil
		},
	}}})
	_, err := divide.Call(within(t), c, &fraction{})
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedYes, "codec 9", "1 (json)")
}
