// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package inventory is an example of a service as one would run it: it knows how
// many there are of what, and reserves them.
//
// Here is what both sides of a call share: methods, messages, errors. The stock is
// a [Store]; [Register] makes a server answer; [AccessLog] and [Count] are for
// its events. server is the server, front an HTTP front end that calls it, and
// README.md tells how to run them.
//
// A store is in the memory of its server, where a real one would be a database that
// the servers share.
package inventory

//go:generate protoc --plugin=protoc-gen-go=protoc-gen-go.sh --go_out=. --go_opt=paths=source_relative inventory.proto
