// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"expvar"
	"log/slog"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/inventory"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
)

// A handler that panics costs its caller the call and nobody else anything; log and
// counters tell, and names that callers invent are not counted one by one.
func TestEvents(t *testing.T) {
	var logged bytes.Buffer // a client's calls end, and are logged, one after the other
	var calls expvar.Map
	service := rollcalltest.NewService(t)
	server := service.Serve(rollcall.ServerOptions{
		Events: rollcall.TeeServerEvents(inventory.AccessLog(slog.New(slog.NewJSONHandler(&logged, nil))), inventory.Count(&calls)),
		Logger: slog.New(slog.DiscardHandler),
	}, func(s *rollcall.Server) {
		rollcall.Handle(s, inventory.Get, func(_ context.Context, q *inventory.Query) (*inventory.Item, error) {
			if q.Sku == "" {
				panic("no sku")
			}
			return &inventory.Item{Sku: q.Sku}, nil
		})
	})
	client := service.Client(rollcall.ClientOptions{Logger: slog.New(slog.DiscardHandler)})

	_, err := inventory.Get.Call(t.Context(), client, new(inventory.Query))
	if rollcall.CodeOf(err) != rollcall.CodeInternal {
		t.Errorf("got %v, want Internal", err)
	}
	if item, err := inventory.Get.Call(t.Context(), client, &inventory.Query{Sku: "nut"}); err != nil || item.Sku != "nut" {
		t.Errorf("after a panic: got %v, %v", item, err)
	}
	for _, name := range []string{"Made/Up", "Made/Up2"} {
		invented := rollcall.Method[inventory.Query, inventory.Item]{Name: name}
		if _, err := invented.Call(t.Context(), client, new(inventory.Query)); rollcall.CodeOf(err) != rollcall.CodeUnimplemented {
			t.Errorf("got %v, want Unimplemented", err)
		}
	}
	server.Close()

	for key, want := range map[string]string{"Inventory/Get OK": "1", "Inventory/Get Internal": "1", "unknown Unimplemented": "2"} {
		if got := calls.Get(key); got == nil || got.String() != want {
			t.Errorf("%s: got %v, want %s; all: %v", key, got, want, &calls)
		}
	}
	var first struct{ Method, Code, Panic string }
	if err := json.NewDecoder(&logged).Decode(&first); err != nil || first.Method != "Inventory/Get" || first.Code != "Internal" || first.Panic != "no sku" {
		t.Errorf("got %+v, %v, want the panic", first, err)
	}
}
