// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// ClientInfo is one identity of a connection without its secrets: ustring
// scheme, ustring user.
type ClientInfo struct {
	Scheme string
	User   string
}

// WhoAmIResponse answers whoAmI: vector<ClientInfo>, in no particular order.
type WhoAmIResponse struct{ Clients []ClientInfo }

// Append implements [Record].
func (r *WhoAmIResponse) Append(b []byte) []byte {
	b = AppendInt(b, int32(len(r.Clients))) //nolint:gosec // bounded by the frame limit
	for i := range r.Clients {
		b = AppendString(AppendString(b, r.Clients[i].Scheme), r.Clients[i].User)
	}
	return b
}

// Decode implements [Record].
func (r *WhoAmIResponse) Decode(d *Decoder) {
	r.Clients = nil
	n, ok := d.Count(8)
	if !ok {
		return
	}
	r.Clients = make([]ClientInfo, n)
	for i := range r.Clients {
		r.Clients[i] = ClientInfo{Scheme: d.String(), User: d.String()}
	}
}

// SASLToken is a step of an authentication (sasl), in both directions: buffer
// token.
type SASLToken struct{ Token []byte }

// Append implements [Record].
func (r *SASLToken) Append(b []byte) []byte { return AppendBuffer(b, r.Token) }

// Decode implements [Record].
func (r *SASLToken) Decode(d *Decoder) { r.Token = d.Buffer() }
