// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// An Op is a row of the table of operations.
type Op struct {
	Code        OpCode
	Name        string        // ZooKeeper's name
	Write       bool          // changes the tree, a session's life included
	NewRequest  func() Record // a new, empty request
	NewResponse func() Record // a new, empty response body
}

func record[T any, P interface {
	*T
	Record
}]() Record {
	return P(new(T))
}

// The table. A record that several operations share stands in several rows.
var ops = [...]Op{
	{OpCreate, "create", true, record[CreateRequest], record[Path]},
	{OpDelete, "delete", true, record[PathVersionRequest], record[Empty]},
	{OpExists, "exists", false, record[PathWatchRequest], record[Stat]},
	{OpGetData, "getData", false, record[PathWatchRequest], record[GetDataResponse]},
	{OpSetData, "setData", true, record[SetDataRequest], record[Stat]},
	{OpGetACL, "getACL", false, record[Path], record[GetACLResponse]},
	{OpSetACL, "setACL", true, record[SetACLRequest], record[Stat]},
	{OpGetChildren, "getChildren", false, record[PathWatchRequest], record[GetChildrenResponse]},
	{OpSync, "sync", false, record[Path], record[Path]},
	{OpPing, "ping", false, record[Empty], record[Empty]},
	{OpGetChildren2, "getChildren2", false, record[PathWatchRequest], record[GetChildren2Response]},
	{OpCheck, "check", false, record[PathVersionRequest], record[Empty]},
	{OpMulti, "multi", true, record[MultiRequest], record[MultiResponse]},
	{OpCreate2, "create2", true, record[CreateRequest], record[Create2Response]},
	{OpReconfig, "reconfig", true, record[ReconfigRequest], record[GetDataResponse]},
	{OpCheckWatches, "checkWatches", false, record[PathModeRequest], record[Empty]},
	{OpRemoveWatches, "removeWatches", false, record[PathModeRequest], record[Empty]},
	{OpCreateContainer, "createContainer", true, record[CreateRequest], record[Create2Response]},
	{OpCreateTTL, "createTTL", true, record[CreateTTLRequest], record[Create2Response]},
	{OpMultiRead, "multiRead", false, record[MultiReadRequest], record[MultiReadResponse]},
	{OpAuth, "auth", false, record[AuthRequest], record[Empty]},
	{OpSetWatches, "setWatches", false, record[SetWatchesRequest], record[Empty]},
	{OpSASL, "sasl", false, record[SASLToken], record[SASLToken]},
	{OpGetEphemerals, "getEphemerals", false, record[Path], record[GetEphemeralsResponse]},
	{OpGetAllChildrenNumber, "getAllChildrenNumber", false, record[Path], record[GetAllChildrenNumberResponse]},
	{OpSetWatches2, "setWatches2", false, record[SetWatches2Request], record[Empty]},
	{OpAddWatch, "addWatch", false, record[PathModeRequest], record[ErrorResponse]},
	{OpWhoAmI, "whoAmI", false, record[Empty], record[WhoAmIResponse]},
	{OpCloseSession, "closeSession", true, record[Empty], record[Empty]},
}

// Ops returns a copy of the table, for tests that demand something of each
// operation.
func Ops() []Op { return append([]Op(nil), ops[:]...) }

// Lookup returns the row of an operation code, and false for a code that is not
// built.
func Lookup(code OpCode) (Op, bool) {
	for i := range ops {
		if ops[i].Code == code {
			return ops[i], true
		}
	}
	return Op{}, false
}
