// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"log/slog"

	"github.com/rollcall-rpc/rollcall"
)

// Register makes a server answer the methods from a store. log is told who has
// changed the stock.
func Register(s *rollcall.Server, store *Store, log *slog.Logger) {
	rollcall.Handle(s, Get, func(_ context.Context, q *Query) (*Item, error) {
		return store.Item(q.Sku)
	})
	rollcall.Handle(s, List, func(_ context.Context, f *Filter) (*Items, error) {
		return &Items{Items: store.Items(f.Prefix)}, nil
	})
	rollcall.Handle(s, Reserve, func(ctx context.Context, r *Reservation) (*Stock, error) {
		left, err := store.Take(r.SKU, r.Count)
		if err != nil {
			return nil, err
		}
		log.InfoContext(ctx, "reserved", "sku", r.SKU, "count", r.Count, "for", r.For, "by", rollcall.Identity(ctx))
		return &Stock{Left: left}, nil
	})
	rollcall.Handle(s, Restock, func(ctx context.Context, d *Delivery) (*Stock, error) {
		left, err := store.Add(d.SKU, d.Count)
		if err != nil {
			return nil, err
		}
		log.InfoContext(ctx, "restocked", "sku", d.SKU, "count", d.Count, "by", rollcall.Identity(ctx))
		return &Stock{Left: left}, nil
	})
}
