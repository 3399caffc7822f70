// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// WatcherEvent is the body of a notification: int type, int state, ustring path.
type WatcherEvent struct {
	Type  EventType
	State int32 // StateSyncConnected
	Path  string
}

// Append implements [Record].
func (e *WatcherEvent) Append(b []byte) []byte {
	return AppendString(AppendInt(AppendInt(b, int32(e.Type)), e.State), e.Path)
}

// Decode implements [Record].
func (e *WatcherEvent) Decode(d *Decoder) {
	e.Type, e.State, e.Path = EventType(d.Int()), d.Int(), d.String()
}

// PathModeRequest is addWatch (mode: WatchPersistent, WatchPersistentRecursive)
// and checkWatches and removeWatches (mode: WatcherChildren …): ustring path, int
// mode.
type PathModeRequest struct {
	Path string
	Mode int32
}

// Append implements [Record].
func (r *PathModeRequest) Append(b []byte) []byte { return AppendInt(AppendString(b, r.Path), r.Mode) }

// Decode implements [Record].
func (r *PathModeRequest) Decode(d *Decoder) { r.Path, r.Mode = d.String(), d.Int() }

// ErrorResponse is a bare error code: the answer of addWatch, and the result of
// a failed operation inside a multi.
type ErrorResponse struct{ Err ErrCode }

// Append implements [Record].
func (r *ErrorResponse) Append(b []byte) []byte { return AppendInt(b, int32(r.Err)) }

// Decode implements [Record].
func (r *ErrorResponse) Decode(d *Decoder) { r.Err = ErrCode(d.Int()) }

// SetWatchesRequest arms the watches of a lost connection again (setWatches):
// long relative zxid, then the paths of data, exist and child watches. A server
// answers at once with the events that happened after that zxid. The vectors
// may not be null.
type SetWatchesRequest struct {
	RelativeZxid       int64
	Data, Exist, Child []string
}

// Append implements [Record].
func (r *SetWatchesRequest) Append(b []byte) []byte {
	b = AppendStrings(AppendLong(b, r.RelativeZxid), r.Data)
	return AppendStrings(AppendStrings(b, r.Exist), r.Child)
}

// Decode implements [Record].
func (r *SetWatchesRequest) Decode(d *Decoder) {
	r.RelativeZxid = d.Long()
	r.Data, r.Exist, r.Child = d.paths(), d.paths(), d.paths()
}

// SetWatches2Request is a SetWatchesRequest with the paths of persistent and
// persistent recursive watches behind it (setWatches2).
type SetWatches2Request struct {
	SetWatchesRequest
	Persistent, PersistentRecursive []string
}

// Append implements [Record].
func (r *SetWatches2Request) Append(b []byte) []byte {
	b = r.SetWatchesRequest.Append(b)
	return AppendStrings(AppendStrings(b, r.Persistent), r.PersistentRecursive)
}

// Decode implements [Record].
func (r *SetWatches2Request) Decode(d *Decoder) {
	r.SetWatchesRequest.Decode(d)
	r.Persistent, r.PersistentRecursive = d.paths(), d.paths()
}

// paths reads a vector of strings that may not be null.
func (d *Decoder) paths() []string {
	list := d.Strings()
	if list == nil {
		d.fail("vector count", -1)
	}
	return list
}
