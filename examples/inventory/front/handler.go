// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/inventory"
)

const (
	defaultTimeout = 2 * time.Second // of a request that does not say
	maxTimeout     = 30 * time.Second
	maxBody        = 64 << 10 // bytes
)

// newHandler answers requests with calls of the client.
func newHandler(client *rollcall.Client, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, call func(context.Context, *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			reply, err := within(w, r, call)
			if err != nil {
				refuse(w, log, err)
				return
			}
			body, err := rollcall.JSON.Append(nil, reply) // protobuf messages too
			if err != nil {
				refuse(w, log, err)
				return
			}
			write(w, http.StatusOK, body)
		})
	}
	answer("GET /items", func(ctx context.Context, r *http.Request) (any, error) {
		return inventory.List.Call(ctx, client, &inventory.Filter{Prefix: r.FormValue("prefix")})
	})
	answer("GET /items/{sku}", func(ctx context.Context, r *http.Request) (any, error) {
		return inventory.Get.Call(ctx, client, &inventory.Query{Sku: r.PathValue("sku")})
	})
	answer("POST /items/{sku}/reserve", func(ctx context.Context, r *http.Request) (any, error) {
		var in inventory.Reservation
		if err := read(r, &in); err != nil {
			return nil, err
		}
		in.SKU = r.PathValue("sku")
		return inventory.Reserve.Call(ctx, client, &in)
	})
	answer("POST /items/{sku}/restock", func(ctx context.Context, r *http.Request) (any, error) {
		var in inventory.Delivery
		if err := read(r, &in); err != nil {
			return nil, err
		}
		in.SKU = r.PathValue("sku")
		return inventory.Restock.Call(ctx, client, &in)
	})
	return mux
}

// within makes the call end with the request: when its sender has gone, or when the
// time is up that its header Request-Timeout gives, such as "500ms".
func within(w http.ResponseWriter, r *http.Request, call func(context.Context, *http.Request) (any, error)) (any, error) {
	timeout := defaultTimeout
	if header := r.Header.Get("Request-Timeout"); header != "" {
		given, err := time.ParseDuration(header)
		if err != nil || given <= 0 || given > maxTimeout {
			return nil, badRequest("Request-Timeout %q: give more than 0 and up to %v", header, maxTimeout)
		}
		timeout = given
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return call(ctx, r)
}

func read(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return badRequest("body: %w: give JSON, up to %d bytes", err, maxBody)
	}
	return nil
}

func badRequest(format string, args ...any) error {
	err := rollcall.Errorf(rollcall.CodeInvalidArgument, "BAD_REQUEST", format, args...)
	err.Executed = rollcall.ExecutedNo
	return err
}

// A refusal is the body of an answer that is an error.
type refusal struct {
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message"`
	Executed string `json:"executed"` // "no", "maybe" or "yes": whether trying again may do it twice
}

// refuse answers with an error. Those who ask are told what is theirs to know; the
// log has all of it, with what the client tried.
func refuse(w http.ResponseWriter, log *slog.Logger, err error) {
	e, ok := errors.AsType[*rollcall.Error](err)
	if !ok {
		e = rollcall.Errorf(rollcall.CodeInternal, "", "%w", err)
	}
	code := status(e)
	if code >= http.StatusInternalServerError {
		log.Error("a request has failed", "error", fmt.Sprint(err))
	}
	body, err := json.Marshal(refusal{e.Code.String(), e.Reason, e.Message, e.Executed.String()})
	if err != nil {
		log.Error("an error has no JSON", "error", err)
	}
	write(w, code, body)
}

// status returns the HTTP status of an error: that of its code, but for two things.
// What is out of stock conflicts with what there is, and that the front end itself
// may not call the inventory is no fault of those who ask.
func status(err *rollcall.Error) int {
	switch {
	case errors.Is(err, inventory.ErrOutOfStock):
		return http.StatusConflict
	case err.Code == rollcall.CodeUnauthenticated, err.Code == rollcall.CodePermissionDenied:
		return http.StatusBadGateway
	}
	return err.Code.HTTPStatus()
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) //nolint:errcheck,gosec // who asked has gone; it is JSON
}
