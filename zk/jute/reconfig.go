// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// ReconfigRequest changes the members of an ensemble (reconfig): ustring joining
// servers, ustring leaving servers, ustring new members, long config id. A
// string that is not there is null on the wire and empty here.
type ReconfigRequest struct {
	Joining    string
	Leaving    string
	NewMembers string
	ConfigID   int64
}

// Append implements [Record].
func (r *ReconfigRequest) Append(b []byte) []byte {
	b = AppendString(AppendString(AppendString(b, r.Joining), r.Leaving), r.NewMembers)
	return AppendLong(b, r.ConfigID)
}

// Decode implements [Record].
func (r *ReconfigRequest) Decode(d *Decoder) {
	r.Joining, r.Leaving, r.NewMembers = d.String(), d.String(), d.String()
	r.ConfigID = d.Long()
}
