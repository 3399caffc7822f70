// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"

	"github.com/rollcall-rpc/rollcall/zk"
)

const ordersNode = "/rpc-meta/overrides"

// order writes the document of the overrides and tells of it; "" deletes it.
func (f *fake) order(data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders.version++
	f.orders.data = []byte(data)
	kind := zk.NodeDataChanged
	if data == "" {
		f.orders.data, kind = nil, zk.NodeDeleted
	}
	f.tellOrders(kind)
}

// tellOrders sends an event. f.mu is held.
func (f *fake) tellOrders(kind zk.EventType) {
	if f.orders.watch != nil {
		f.orders.watch.events <- zk.Event{Type: kind, Path: ordersNode}
	}
}

func (f *fake) getOrders(ctx context.Context) ([]byte, zk.Stat, error) {
	f.mu.Lock()
	o := f.orders
	f.orders.reads++
	f.mu.Unlock()
	if o.hold != nil {
		select {
		case <-o.hold:
		case <-ctx.Done():
			return nil, zk.Stat{}, ctx.Err()
		}
	}
	err := o.refuse
	if err == nil && o.data == nil {
		err = zk.ErrNoNode
	}
	if err != nil {
		return nil, zk.Stat{}, &zk.Error{Op: "getData", Path: ordersNode, Sent: true, Err: err}
	}
	return o.data, zk.Stat{Version: o.version}, nil
}

// write writes the document if allowed says so.
func (f *fake) write(op string, data []byte, refusal error, allowed func() bool) (zk.Stat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !allowed() {
		return zk.Stat{}, &zk.Error{Op: op, Path: ordersNode, Sent: true, Err: refusal}
	}
	f.orders.data = data
	f.orders.version++
	f.tellOrders(zk.NodeDataChanged)
	if f.orders.lose {
		f.orders.lose = false
		return zk.Stat{}, &zk.Error{Op: op, Path: ordersNode, Sent: true, Err: zk.ErrConnectionLoss}
	}
	return zk.Stat{Version: f.orders.version}, nil
}

// orderReads returns how often the document was read since it was last called.
func (f *fake) orderReads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.orders.reads
	f.orders.reads = 0
	return n
}
