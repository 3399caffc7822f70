// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

// maxMultiRead bounds the answer of a multiRead in bytes: a small request may
// ask for the data of a great node many times. A greater one is refused like one
// that cannot be decoded; clients divide it.
const maxMultiRead = 16 << 20

var multiReadHandler = handler{read: readMulti, short: "MLTR"}

// readMulti reads several nodes of one version of the tree. Each operation has a
// result of its own: one that fails spoils no other.
func readMulti(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	for start := len(b); ; {
		var h jute.MultiHeader
		h.Decode(&rd.d)
		switch {
		case rd.d.Err() != nil, len(b)-start > maxMultiRead:
			return b, jute.ErrMarshalling
		case h.Done:
			return jute.AppendMultiEnd(b), jute.ErrOk
		case h.Op != jute.OpGetData && h.Op != jute.OpGetChildren:
			return b, jute.ErrMarshalling
		}
		n, _, _, err := rd.nodeAndFlag() // the flag does not count
		if rd.d.Err() != nil || err == jute.ErrMarshalling {
			return b, jute.ErrMarshalling
		}
		if err != 0 {
			h = jute.MultiHeader{Op: jute.OpError, Err: err}
			b = jute.AppendInt(h.Append(b), int32(err))
			continue
		}
		h.Err = jute.ErrOk
		b = h.Append(b)
		if h.Op == jute.OpGetData {
			b = n.AppendStat(jute.AppendBuffer(b, n.Data))
		} else {
			b = rd.view.AppendChildren(b, n)
		}
	}
}
