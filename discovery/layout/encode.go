// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// MaxBytes is the longest data that is written or read: 1 MiB without the 4 KiB
// that are left to the rest of a request, for ZooKeeper's jute.maxbuffer counts
// both.
const MaxBytes = 1<<20 - 4<<10

// FieldError says which field of a node's data is wrong.
type FieldError = discovery.FieldError

// A node is the data of a znode. The order of the fields is the order of the
// keys: simple readers look for host and port first.
type node struct {
	Host      string            `json:"host"`
	Port      int               `json:"port"`
	ID        string            `json:"id"`
	Protocols []string          `json:"protocols"`
	TLS       bool              `json:"tls,omitempty"`
	Weight    int               `json:"weight"`
	Zone      string            `json:"zone"`
	Version   string            `json:"version"`
	Metadata  map[string]string `json:"metadata"`
}

// Encode returns the data of an instance's node. Name, Revision, Owner and
// Registered are not part of it: they come from the node itself; nor is Override,
// which has a node of its own. An instance that no reader could use is a
// *[FieldError].
func Encode(in discovery.Instance) ([]byte, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	n := node{
		Host: in.Host, Port: in.Port, ID: in.ID, Protocols: in.Protocols, TLS: in.TLS, Weight: in.Weight,
		Zone: in.Zone, Version: in.Version, Metadata: in.Metadata,
	}
	if n.Protocols == nil {
		n.Protocols = []string{}
	}
	if n.Metadata == nil {
		n.Metadata = map[string]string{}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	data := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(data) > MaxBytes {
		return nil, discovery.NewFieldError("data", strconv.Itoa(len(data))+" bytes",
			"an instance has at most "+strconv.Itoa(MaxBytes)+" bytes as JSON: shorten its metadata")
	}
	return data, nil
}
