// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// CreateRequest asks for a new node (create, create2, createContainer): ustring
// path, buffer data, vector<ACL>, int flags.
type CreateRequest struct {
	Path  string
	Data  []byte // nil is kept apart from empty
	ACL   []ACL
	Flags int32
}

// Append implements [Record].
func (r *CreateRequest) Append(b []byte) []byte {
	b = AppendBuffer(AppendString(b, r.Path), r.Data)
	return AppendInt(AppendACLs(b, r.ACL), r.Flags)
}

// Decode implements [Record].
func (r *CreateRequest) Decode(d *Decoder) {
	r.Path, r.Data, r.ACL, r.Flags = d.String(), d.Buffer(), d.ACLs(), d.Int()
}

// CreateTTLRequest asks for a new node with a time to live (createTTL): a
// CreateRequest and long ttl in ms.
type CreateTTLRequest struct {
	CreateRequest
	TTLMillis int64
}

// Append implements [Record].
func (r *CreateTTLRequest) Append(b []byte) []byte {
	return AppendLong(r.CreateRequest.Append(b), r.TTLMillis)
}

// Decode implements [Record].
func (r *CreateTTLRequest) Decode(d *Decoder) {
	r.CreateRequest.Decode(d)
	r.TTLMillis = d.Long()
}

// Create2Response answers create2, createContainer and createTTL: ustring path,
// Stat.
type Create2Response struct {
	Path string
	Stat Stat
}

// Append implements [Record].
func (r *Create2Response) Append(b []byte) []byte { return r.Stat.Append(AppendString(b, r.Path)) }

// Decode implements [Record].
func (r *Create2Response) Decode(d *Decoder) {
	r.Path = d.String()
	r.Stat.Decode(d)
}

// PathVersionRequest asks for something of one version of a node (delete,
// check): ustring path, int version.
type PathVersionRequest struct {
	Path    string
	Version int32 // AnyVersion: not checked
}

// Append implements [Record].
func (r *PathVersionRequest) Append(b []byte) []byte {
	return AppendInt(AppendString(b, r.Path), r.Version)
}

// Decode implements [Record].
func (r *PathVersionRequest) Decode(d *Decoder) { r.Path, r.Version = d.String(), d.Int() }

// PathWatchRequest reads a node and can leave a one-shot watch (exists,
// getData, getChildren, getChildren2): ustring path, bool watch.
type PathWatchRequest struct {
	Path  string
	Watch bool
}

// Append implements [Record].
func (r *PathWatchRequest) Append(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode implements [Record].
func (r *PathWatchRequest) Decode(d *Decoder) { r.Path, r.Watch = d.String(), d.Bool() }

// Path is a record of one path: the answer of create, the request and the
// answer of sync, the request of getACL, getAllChildrenNumber and getEphemerals
// (there a prefix).
type Path struct{ Path string }

// Append implements [Record].
func (r *Path) Append(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements [Record].
func (r *Path) Decode(d *Decoder) { r.Path = d.String() }

// GetDataResponse answers getData and reconfig: buffer data, Stat.
type GetDataResponse struct {
	Data []byte // nil is kept apart from empty
	Stat Stat
}

// Append implements [Record].
func (r *GetDataResponse) Append(b []byte) []byte { return r.Stat.Append(AppendBuffer(b, r.Data)) }

// Decode implements [Record].
func (r *GetDataResponse) Decode(d *Decoder) {
	r.Data = d.Buffer()
	r.Stat.Decode(d)
}

// SetDataRequest replaces a node's data: ustring path, buffer data, int version.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32 // AnyVersion: not checked
}

// Append implements [Record].
func (r *SetDataRequest) Append(b []byte) []byte {
	return AppendInt(AppendBuffer(AppendString(b, r.Path), r.Data), r.Version)
}

// Decode implements [Record].
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path, r.Data, r.Version = d.String(), d.Buffer(), d.Int()
}

// GetACLResponse answers getACL: vector<ACL>, Stat.
type GetACLResponse struct {
	ACL  []ACL
	Stat Stat
}

// Append implements [Record].
func (r *GetACLResponse) Append(b []byte) []byte { return r.Stat.Append(AppendACLs(b, r.ACL)) }

// Decode implements [Record].
func (r *GetACLResponse) Decode(d *Decoder) {
	r.ACL = d.ACLs()
	r.Stat.Decode(d)
}

// SetACLRequest replaces a node's ACL: ustring path, vector<ACL>, int version.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32 // compared with Stat.Aversion; AnyVersion: not checked
}

// Append implements [Record].
func (r *SetACLRequest) Append(b []byte) []byte {
	return AppendInt(AppendACLs(AppendString(b, r.Path), r.ACL), r.Version)
}

// Decode implements [Record].
func (r *SetACLRequest) Decode(d *Decoder) { r.Path, r.ACL, r.Version = d.String(), d.ACLs(), d.Int() }

// GetChildrenResponse answers getChildren: vector<ustring> of names, in no
// particular order.
type GetChildrenResponse struct{ Children []string }

// Append implements [Record].
func (r *GetChildrenResponse) Append(b []byte) []byte { return AppendStrings(b, r.Children) }

// Decode implements [Record].
func (r *GetChildrenResponse) Decode(d *Decoder) { r.Children = d.Strings() }

// GetChildren2Response answers getChildren2: vector<ustring> of names, in no
// particular order, and the Stat of the parent.
type GetChildren2Response struct {
	Children []string
	Stat     Stat
}

// Append implements [Record].
func (r *GetChildren2Response) Append(b []byte) []byte {
	return r.Stat.Append(AppendStrings(b, r.Children))
}

// Decode implements [Record].
func (r *GetChildren2Response) Decode(d *Decoder) {
	r.Children = d.Strings()
	r.Stat.Decode(d)
}

// GetEphemeralsResponse answers getEphemerals: vector<ustring> of the paths of
// the asking session's ephemeral nodes, in no particular order.
type GetEphemeralsResponse struct{ Ephemerals []string }

// Append implements [Record].
func (r *GetEphemeralsResponse) Append(b []byte) []byte { return AppendStrings(b, r.Ephemerals) }

// Decode implements [Record].
func (r *GetEphemeralsResponse) Decode(d *Decoder) { r.Ephemerals = d.Strings() }

// GetAllChildrenNumberResponse answers getAllChildrenNumber: int number of the
// nodes below one, at any depth.
type GetAllChildrenNumberResponse struct{ Total int32 }

// Append implements [Record].
func (r *GetAllChildrenNumberResponse) Append(b []byte) []byte { return AppendInt(b, r.Total) }

// Decode implements [Record].
func (r *GetAllChildrenNumberResponse) Decode(d *Decoder) { r.Total = d.Int() }

// AuthRequest adds an identity to a connection: int type (0), ustring scheme,
// buffer auth.
type AuthRequest struct {
	Type   int32
	Scheme string
	Auth   []byte
}

// Append implements [Record].
func (r *AuthRequest) Append(b []byte) []byte {
	return AppendBuffer(AppendString(AppendInt(b, r.Type), r.Scheme), r.Auth)
}

// Decode implements [Record].
func (r *AuthRequest) Decode(d *Decoder) { r.Type, r.Scheme, r.Auth = d.Int(), d.String(), d.Buffer() }

// Empty is a record without fields: ping, closeSession, the answer of delete.
type Empty struct{}

// Append implements [Record].
func (*Empty) Append(b []byte) []byte { return b }

// Decode implements [Record].
func (*Empty) Decode(*Decoder) {}
