// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// The bounds of the document. Every client of the service reads it whole.
const (
	MaxOverridesBytes = 256 << 10
	MaxOrderBy        = 256
	MaxOrderReason    = 1024
)

// overridesVersion is the version of the document. It is to be raised only for
// what a reader of an earlier one would misread: such a reader refuses the
// document.
const overridesVersion = 1

// The keys of an entry.
const (
	keyID      = "id"
	keyAddress = "address"
	keyDrain   = "drain"
	keyWeight  = "weight"
)

// An orderJSON is how an order is written; a weight's has a value.
type orderJSON struct {
	Value  *int   `json:"value,omitempty"`
	By     string `json:"by,omitempty"`
	At     string `json:"at,omitempty"` // RFC 3339
	Reason string `json:"reason,omitempty"`
}

func toOrderJSON(o *discovery.Order, value *int) orderJSON {
	out := orderJSON{Value: value, By: o.By, Reason: o.Reason}
	if !o.At.IsZero() {
		out.At = o.At.UTC().Format(time.RFC3339)
	}
	return out
}

// Encode returns the document. What [DecodeOverrides] would refuse is an error
// of the same kind.
func (o *Overrides) Encode() ([]byte, error) {
	list := make([]map[string]json.RawMessage, len(o.entries))
	for i := range o.entries {
		list[i] = o.entries[i].keys
	}
	keys := map[string]json.RawMessage{}
	maps.Copy(keys, o.rest)
	keys["version"], keys["overrides"] = rawJSON(overridesVersion), rawJSON(list)
	data := rawJSON(keys)
	if _, err := DecodeOverrides(data); err != nil {
		return nil, err
	}
	return data, nil
}

// rawJSON encodes what always can be: strings, numbers, and JSON that was read.
func rawJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("layout: encode %T: %v", v, err)) //nolint:forbidigo // it always encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// DecodeOverrides reads the data of the node of [OverridesPath]. The error is a
// *[FieldError]; its Field is "data" where the data as a whole is not a JSON
// object, else as in "overrides[3].drain.at". One entry that is wrong makes the
// document unreadable: what an operator meant is not to be guessed at.
//
// A key that is absent or null is no order, an unknown one is kept. Of a key
// that is there twice the last one counts. The result shares no memory with
// data.
func DecodeOverrides(data []byte) (*Overrides, error) {
	keys, err := object(data, MaxOverridesBytes, overridesFix)
	if err != nil {
		return nil, err
	}
	d := decoder{keys: keys}
	var version int
	var list []json.RawMessage
	d.value("version", &version, versionFix)
	if d.err == nil && version != overridesVersion {
		d.err = discovery.NewFieldError("version", string(keys["version"]), versionFix)
	}
	d.value("overrides", &list, "write a list of objects")
	if d.err != nil {
		return nil, d.err
	}
	delete(keys, "version")
	delete(keys, "overrides")
	o := &Overrides{rest: keys}
	for i, raw := range list {
		e, err := decodeEntry(raw)
		key := OverrideKeyOf(&e.in)
		if _, twice := o.byKey[key]; twice && err == nil {
			err = errTwice(&e.in)
		}
		if err != nil {
			return nil, within(fmt.Sprintf("overrides[%d]", i), err)
		}
		o.add(key, i)
		o.entries = append(o.entries, e)
	}
	return o, nil
}

const (
	overridesFix = `write one JSON object, as in {"version":1,"overrides":[]}`
	versionFix   = "this program reads version 1: use a newer one"
)

func errTwice(in *discovery.Instance) error {
	field, value := keyID, in.ID
	if value == "" {
		field, value = keyAddress, in.Addr()
	}
	return discovery.NewFieldError(field, value, "an instance has one entry, this is its second: make them one")
}

// within says in what the wrong field lies.
func within(what string, err error) error {
	if typed, ok := errors.AsType[*FieldError](err); ok {
		typed.Field = what + "." + typed.Field
	}
	return err
}

func decodeEntry(raw json.RawMessage) (overrideEntry, error) {
	e := overrideEntry{}
	if err := json.Unmarshal(raw, &e.keys); err != nil || e.keys == nil {
		return e, discovery.NewFieldError("data", printable(raw), `write an object, as in {"id":"7f3a91c2e0b4d586","drain":{}}`)
	}
	d := decoder{keys: e.keys}
	e.in.ID = d.text(keyID)
	d.address(&e.in)
	var o discovery.Override
	if order, _, found := d.order(keyDrain, false); found {
		o.Drain = &order
	}
	if order, value, found := d.order(keyWeight, true); found {
		o.Weight = &discovery.WeightOrder{Value: value, Order: order}
	}
	if o != (discovery.Override{}) {
		e.in.Override = &o
	}
	if d.err == nil && e.in.ID == "" && e.in.Host == "" {
		d.err = discovery.NewFieldError(keyID, "", "give the instance's id, or its address where it has none")
	}
	return e, d.err
}

// address reads the host and the port of an entry.
func (d *decoder) address(in *discovery.Instance) {
	text := d.text(keyAddress)
	if text == "" || d.err != nil {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		in.Host = host
		in.Port, err = strconv.Atoi(port)
	}
	if err == nil {
		err = in.Check()
	}
	if err != nil || in.Addr() != text {
		d.err = discovery.NewFieldError(keyAddress, text, "write host:port as the instance's entry has them, an IPv6 address in brackets")
	}
}

// order reads an order. One that is not there is not found.
func (d *decoder) order(key string, weighs bool) (order discovery.Order, value int, found bool) {
	raw := d.keys[key]
	if d.err != nil || len(raw) == 0 || string(raw) == "null" {
		return order, 0, false
	}
	var keys map[string]json.RawMessage
	d.value(key, &keys, `write an object, as in {"by":"ann@ops1"}`)
	o := decoder{keys: keys, err: d.err}
	order.By, order.Reason = o.bounded("by", MaxOrderBy), o.bounded("reason", MaxOrderReason)
	order.At = o.moment("at")
	if weighs {
		value = -1
		o.value("value", &value, discovery.WeightFix)
		if o.err == nil && (value < 0 || value > discovery.MaxWeight) {
			o.err = discovery.NewFieldError("value", printable(keys["value"]), discovery.WeightFix)
		}
	}
	if d.err == nil && o.err != nil {
		d.err = within(key, o.err)
	}
	return order, value, true
}

// bounded reads a string of at most so many bytes.
func (d *decoder) bounded(key string, most int) string {
	s := d.text(key)
	if d.err == nil && len(s) > most {
		d.err = discovery.NewFieldError(key, s, "write at most "+strconv.Itoa(most)+" bytes")
	}
	return s
}

// moment reads a time, to the second.
func (d *decoder) moment(key string) time.Time {
	text := d.text(key)
	if text == "" || d.err != nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	at = at.UTC().Truncate(time.Second)
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		d.err = discovery.NewFieldError(key, text, "write RFC 3339, as in 2026-03-01T09:30:00Z")
	}
	return at
}
