// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// AnyVersion as the version of a Set, a Delete or a SetACL matches every version.
const AnyVersion = jute.AnyVersion

// A Stat is what ZooKeeper tells about a node besides its data.
type Stat = jute.Stat

// An ACL grants permissions to an identity.
type ACL = jute.ACL

// The permissions of an ACL.
const (
	PermRead   = jute.PermRead
	PermWrite  = jute.PermWrite
	PermCreate = jute.PermCreate
	PermDelete = jute.PermDelete
	PermAdmin  = jute.PermAdmin
	PermAll    = jute.PermAll
)

// WorldAnyone returns a new list that grants every permission to everybody.
func WorldAnyone() []ACL { return jute.WorldAnyone() }

// CreatorAll returns a new list that grants every permission to the identities
// that the creating client has authenticated as (ZooDefs.Ids.CREATOR_ALL_ACL).
func CreatorAll() []ACL { return []ACL{{Perms: jute.PermAll, Scheme: "auth"}} }

// A CreateMode says how long a node lives and who completes its name.
type CreateMode int

// The modes of Create. A sequential node's name gets ten digits appended that
// grow with every child created under the parent. An ephemeral node is removed
// when the session that created it ends.
const (
	ModePersistent CreateMode = iota + 1
	ModeEphemeral
	ModePersistentSequential
	ModeEphemeralSequential
)

// String returns ZooKeeper's name of the mode.
func (m CreateMode) String() string {
	switch m {
	case ModePersistent:
		return "PERSISTENT"
	case ModeEphemeral:
		return "EPHEMERAL"
	case ModePersistentSequential:
		return "PERSISTENT_SEQUENTIAL"
	case ModeEphemeralSequential:
		return "EPHEMERAL_SEQUENTIAL"
	}
	return "mode " + strconv.Itoa(int(m))
}

func (m CreateMode) flags() (int32, error) {
	switch m {
	case ModePersistent:
		return jute.FlagPersistent, nil
	case ModeEphemeral:
		return jute.FlagEphemeral, nil
	case ModePersistentSequential:
		return jute.FlagPersistentSequential, nil
	case ModeEphemeralSequential:
		return jute.FlagEphemeralSequential, nil
	}
	return 0, fmt.Errorf("%w: the mode is %d: use one of ModePersistent to ModeEphemeralSequential", ErrBadArguments, int(m))
}

func (m CreateMode) sequential() bool {
	return m == ModePersistentSequential || m == ModeEphemeralSequential
}

// createRequest checks the arguments of a create and puts them together. A nil
// acl means everybody may do everything.
func createRequest(path string, data []byte, mode CreateMode, acl []ACL) (*jute.CreateRequest, error) {
	flags, err := mode.flags()
	if err != nil {
		return nil, err
	}
	if err := checkPath(path, mode.sequential()); err != nil {
		return nil, err
	}
	if acl == nil {
		acl = WorldAnyone()
	}
	return &jute.CreateRequest{Path: path, Data: data, ACL: acl, Flags: flags}, nil
}

// Create creates a node and returns its path, which for the sequential modes has
// the number appended. A nil acl means [WorldAnyone]; nil data is kept apart from
// empty data. It fails with ErrNodeExists, ErrNoNode (no parent),
// ErrNoChildrenForEphemerals, ErrInvalidACL and ErrNoAuth.
//
// A sequential create whose answer was lost (Error.Sent is true) may have left a
// node: look for it by its Stat.EphemeralOwner or by something in its data before
// creating another.
func (c *Client) Create(ctx context.Context, path string, data []byte, mode CreateMode, acl []ACL) (string, error) {
	req, err := createRequest(path, data, mode, acl)
	if err != nil {
		return "", &Error{Op: "create", Path: path, Err: err}
	}
	var resp jute.Path
	err = c.call(ctx, jute.OpCreate, path, req, &resp)
	return resp.Path, err
}

// Create2 is [Client.Create] that also returns the Stat of the new node.
func (c *Client) Create2(ctx context.Context, path string, data []byte, mode CreateMode, acl []ACL) (string, Stat, error) {
	req, err := createRequest(path, data, mode, acl)
	if err != nil {
		return "", Stat{}, &Error{Op: "create2", Path: path, Err: err}
	}
	var resp jute.Create2Response
	err = c.call(ctx, jute.OpCreate2, path, req, &resp)
	return resp.Path, resp.Stat, err
}

// Delete removes a node without children if its Stat.Version is version or
// version is [AnyVersion]. It fails with ErrNoNode, ErrBadVersion, ErrNotEmpty
// and ErrNoAuth.
func (c *Client) Delete(ctx context.Context, path string, version int32) error {
	return c.callPath(ctx, jute.OpDelete, path, &jute.PathVersionRequest{Path: path, Version: version}, &jute.Empty{})
}

// Exists returns a node's Stat and whether the node exists. It fails with
// ErrNoAuth on servers that check the permission to read.
func (c *Client) Exists(ctx context.Context, path string) (Stat, bool, error) {
	var stat Stat
	err := c.callPath(ctx, jute.OpExists, path, &jute.PathWatchRequest{Path: path}, &stat)
	if errors.Is(err, ErrNoNode) {
		return Stat{}, false, nil
	}
	return stat, err == nil, err
}

// Get returns a node's data, which is the caller's, and its Stat. It fails with
// ErrNoNode and ErrNoAuth.
func (c *Client) Get(ctx context.Context, path string) ([]byte, Stat, error) {
	var resp jute.GetDataResponse
	err := c.callPath(ctx, jute.OpGetData, path, &jute.PathWatchRequest{Path: path}, &resp)
	return resp.Data, resp.Stat, err
}

// Set replaces a node's data if its Stat.Version is version or version is
// [AnyVersion], and returns the new Stat. It fails with ErrNoNode, ErrBadVersion
// and ErrNoAuth.
func (c *Client) Set(ctx context.Context, path string, data []byte, version int32) (Stat, error) {
	var stat Stat
	err := c.callPath(ctx, jute.OpSetData, path, &jute.SetDataRequest{Path: path, Data: data, Version: version}, &stat)
	return stat, err
}

// Children returns the names of a node's children, in no particular order, and
// the node's own Stat. It fails with ErrNoNode and ErrNoAuth.
func (c *Client) Children(ctx context.Context, path string) ([]string, Stat, error) {
	var resp jute.GetChildren2Response
	err := c.callPath(ctx, jute.OpGetChildren2, path, &jute.PathWatchRequest{Path: path}, &resp)
	return resp.Children, resp.Stat, err
}

// Sync brings the server that this client is connected to up to date with the
// ensemble: a read behind it sees every write that was acknowledged before. The
// node need not exist.
func (c *Client) Sync(ctx context.Context, path string) error {
	return c.callPath(ctx, jute.OpSync, path, &jute.Path{Path: path}, &jute.Path{})
}

// GetACL returns a node's ACL and Stat. It fails with ErrNoNode and ErrNoAuth.
func (c *Client) GetACL(ctx context.Context, path string) ([]ACL, Stat, error) {
	var resp jute.GetACLResponse
	err := c.callPath(ctx, jute.OpGetACL, path, &jute.Path{Path: path}, &resp)
	return resp.ACL, resp.Stat, err
}

// SetACL replaces a node's ACL if its Stat.Aversion is version or version is
// [AnyVersion], and returns the new Stat. It fails with ErrNoNode, ErrBadVersion,
// ErrInvalidACL and ErrNoAuth.
func (c *Client) SetACL(ctx context.Context, path string, acl []ACL, version int32) (Stat, error) {
	var stat Stat
	err := c.callPath(ctx, jute.OpSetACL, path, &jute.SetACLRequest{Path: path, ACL: acl, Version: version}, &stat)
	return stat, err
}

// EnsurePath creates what is missing of path, persistent, empty and open to
// everybody. That others do the same at the same time is fine.
func (c *Client) EnsurePath(ctx context.Context, path string) error {
	if err := checkPath(path, false); err != nil {
		return &Error{Op: "create", Path: path, Err: err}
	}
	if _, there, err := c.Exists(ctx, path); there || err != nil {
		return err
	}
	for end := range len(path) {
		end++
		if end < len(path) && path[end] != '/' {
			continue
		}
		if err := c.ensureNode(ctx, path[:end]); err != nil {
			return err
		}
	}
	return nil
}

// ensureNode creates one node unless it exists. It looks first, for a create of
// a node that exists can be refused for want of permission on its parent.
func (c *Client) ensureNode(ctx context.Context, path string) error {
	if _, there, err := c.Exists(ctx, path); there || err != nil {
		return err
	}
	_, err := c.Create(ctx, path, nil, ModePersistent, nil)
	if errors.Is(err, ErrNodeExists) {
		return nil
	}
	return err
}
