// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import "github.com/rollcall-rpc/rollcall"

// The methods. Get and List have protobuf messages (inventory.proto), Reserve and
// Restock structs, which travel as JSON. What changes the stock is not idempotent:
// Rollcall never runs it twice.
var (
	Get     = rollcall.Method[Query, Item]{Name: "Inventory/Get", Idempotent: true}
	List    = rollcall.Method[Filter, Items]{Name: "Inventory/List", Idempotent: true}
	Reserve = rollcall.Method[Reservation, Stock]{Name: "Inventory/Reserve"}
	Restock = rollcall.Method[Delivery, Stock]{Name: "Inventory/Restock"}
)

// The errors that callers may want to tell from others, with errors.Is.
var (
	ErrUnknown    = rollcall.Errorf(rollcall.CodeNotFound, "UNKNOWN_ITEM", "there is no such item")
	ErrOutOfStock = rollcall.Errorf(rollcall.CodeFailedPrecondition, "OUT_OF_STOCK", "there are not that many")
	ErrCount      = rollcall.Errorf(rollcall.CodeInvalidArgument, "BAD_COUNT", "give a count of 1 to 1000000")
)

// maxCount is the most of one Reservation or Delivery.
const maxCount = 1_000_000

// A Reservation takes items out of the stock.
type Reservation struct {
	SKU   string `json:"sku"`
	Count uint32 `json:"count"` // 1 to 1000000
	For   string `json:"for"`   // whom: a text for the log
}

// A Delivery puts items into the stock; it may be the first of its SKU.
type Delivery struct {
	SKU   string `json:"sku"`
	Count uint32 `json:"count"` // 1 to 1000000
}

// A Stock is what is left afterwards.
type Stock struct {
	Left uint32 `json:"left"`
}
