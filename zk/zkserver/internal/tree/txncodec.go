// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The fields of a change that its encoding holds, in this order. Fields that are
// zero are left out.
const (
	fieldCounter     = 1 << iota // int
	fieldOwner                   // long
	fieldPath                    // string
	fieldData                    // buffer
	fieldACL                     // vector of ACL
	fieldWorldAnyone             // nothing: the list is [WorldAnyone]
	fieldPaths                   // vector of string

	everyField = 1<<iota - 1
)

// AppendTxn appends a transaction: long zxid, long time, long session, vector of
// changes, each an int whose lowest byte is the kind and whose others say what
// fields follow.
func AppendTxn(b []byte, t *Txn) []byte {
	b = jute.AppendLong(b, t.Zxid)
	b = jute.AppendLong(b, t.Time)
	b = jute.AppendLong(b, t.Session)
	b = jute.AppendInt(b, int32(len(t.Changes))) //nolint:gosec // bounded by memory
	for i := range t.Changes {
		b = appendChange(b, &t.Changes[i])
	}
	return b
}

func appendChange(b []byte, c *Change) []byte {
	fields := c.fields()
	b = jute.AppendInt(b, fields<<8|int32(c.Kind))
	if fields&fieldCounter != 0 {
		b = jute.AppendInt(b, c.Counter)
	}
	if fields&fieldOwner != 0 {
		b = jute.AppendLong(b, c.Owner)
	}
	if fields&fieldPath != 0 {
		b = jute.AppendString(b, c.Path)
	}
	if fields&fieldData != 0 {
		b = jute.AppendBuffer(b, c.Data)
	}
	if fields&fieldACL != 0 {
		b = jute.AppendACLs(b, c.ACL)
	}
	if fields&fieldPaths != 0 {
		b = jute.AppendStrings(b, c.Paths)
	}
	return b
}

func (c *Change) fields() int32 {
	var fields int32
	set := func(is bool, field int32) {
		if is {
			fields |= field
		}
	}
	world := isWorldAnyone(c.ACL)
	set(c.Counter != 0, fieldCounter)
	set(c.Owner != 0, fieldOwner)
	set(c.Path != "", fieldPath)
	set(c.Data != nil, fieldData)
	set(c.ACL != nil && !world, fieldACL)
	set(world, fieldWorldAnyone)
	set(c.Paths != nil, fieldPaths)
	return fields
}

var errBehind = errors.New("there is something behind the end")

// DecodeTxn decodes what [AppendTxn] has appended. It keeps nothing of b.
func DecodeTxn(b []byte) (Txn, error) {
	d := jute.NewDecoder(b)
	t := Txn{Zxid: d.Long(), Time: d.Long(), Session: d.Long()}
	n, _ := d.Count(4)
	t.Changes = make([]Change, n)
	for i := range t.Changes {
		if err := decodeChange(&d, &t.Changes[i]); err != nil {
			return t, fmt.Errorf("tree: transaction 0x%x, change %d: %w", t.Zxid, i, err)
		}
	}
	err := d.Err()
	if err == nil && d.Len() > 0 {
		err = errBehind
	}
	if err != nil {
		return t, fmt.Errorf("tree: transaction 0x%x: %w", t.Zxid, err)
	}
	return t, nil
}

func decodeChange(d *jute.Decoder, c *Change) error {
	head := d.Int()
	fields := head >> 8
	if fields&^everyField != 0 {
		return fmt.Errorf("the fields 0x%x are not known: want at most 0x%x", fields, everyField)
	}
	c.Kind = ChangeKind(head) //nolint:gosec // the lowest byte
	if fields&fieldCounter != 0 {
		c.Counter = d.Int()
	}
	if fields&fieldOwner != 0 {
		c.Owner = d.Long()
	}
	if fields&fieldPath != 0 {
		c.Path = d.String()
	}
	if fields&fieldData != 0 {
		c.Data = bytes.Clone(d.Buffer())
	}
	if fields&fieldACL != 0 {
		c.ACL = d.ACLs()
	}
	if fields&fieldWorldAnyone != 0 {
		c.ACL = worldAnyone
	}
	if fields&fieldPaths != 0 {
		c.Paths = d.Strings()
	}
	return d.Err()
}
