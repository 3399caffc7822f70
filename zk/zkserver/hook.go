// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"io"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// ask asks the hook about a request and does what it says. It reports whether the
// connection goes on.
func (c *conn) ask(f hook.Func, h *handler, rh jute.RequestHeader, payload []byte) bool {
	c.submit() // what came before does not wait with it
	c.count()
	c.out.flush()
	r := hook.NewRequest(c.session.id, rh, payload[jute.RequestHeaderSize:], c.out.awaitable())
	v := f(r)
	if v.Done == nil {
		v.Done = func() {}
	}
	select {
	case <-r.Ended:
		v.Done()
		return false
	default:
	}
	if v.Fault != hook.None {
		c.settle()
		c.out.awaitSent()
	}
	goesOn := c.meet(&v, h, rh, len(payload))
	v.Done()
	if v.Fault == hook.Drop {
		io.Copy(io.Discard, c.nc) //nolint:errcheck // it ends when the connection does
	}
	return goesOn
}

// meet does to a request what the hook wants, and reports whether the connection
// goes on.
func (c *conn) meet(v *hook.Verdict, h *handler, rh jute.RequestHeader, size int) bool {
	switch v.Fault {
	case hook.None:
		return c.dispatch(h, rh, size)
	case hook.Fail:
		c.answer(rh.Xid, c.srv.version.Load().Zxid(), v.Err)
		c.out.flush()
		return true
	case hook.CutAfter:
		c.out.mute()
		c.dispatch(h, rh, size)
		c.settle()
	case hook.Expire:
		c.srv.ExpireSession(c.session.id)
	case hook.Drop, hook.Cut: // nothing is done, and nothing more comes
	}
	return false
}
