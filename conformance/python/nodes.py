# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes, permissions and transactions."""

from kazoo.exceptions import (BadVersionError, InvalidACLError, NoAuthError, NodeExistsError, NoNodeError,
                              NotEmptyError, RolledBackError, RuntimeInconsistency)
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from harness import equal, raises


def test_nodes(world):
    a, b, base = world.client(), world.client(), world.base
    a.ensure_path(base + "/x/y/z")
    a.ensure_path(base + "/x/y/z")
    equal(b.get_children(base + "/x"), ["y"])
    equal(a.create(base + "/n", b"1"), base + "/n")
    raises(NodeExistsError, a.create, base + "/n")
    raises(NoNodeError, a.create, base + "/missing/n")
    equal(a.create(base + "/made/on/the/way", b"", makepath=True), base + "/made/on/the/way")
    b.sync(base)
    data, stat = b.get(base + "/n")
    equal((data, stat.version, stat.dataLength, stat.ephemeralOwner), (b"1", 0, 1, 0))
    equal(a.set(base + "/n", b"22", version=0).version, 1)
    raises(BadVersionError, a.set, base + "/n", b"3", version=0)
    raises(BadVersionError, a.delete, base + "/n", version=0)
    raises(NotEmptyError, a.delete, base + "/x")
    a.delete(base + "/x", recursive=True)
    equal(a.exists(base + "/x"), None)
    a.delete(base + "/n", version=1)
    raises(NoNodeError, a.get, base + "/n")
    raises(NoNodeError, a.delete, base + "/n")
    children, stat = b.get_children(base, include_data=True)
    equal((children, stat.numChildren), (["made"], 1))


def test_create_with_stat(world):
    a, base = world.client(), world.base
    a.ensure_path(base)
    path, stat = a.create(base + "/s-", b"abc", sequence=True, ephemeral=True, include_data=True)
    equal(path, base + "/s-0000000000")
    equal((stat.dataLength, stat.ephemeralOwner), (3, a.client_id[0]))
    equal(stat, a.exists(path))


def test_async(world):
    a, base = world.client(), world.base
    a.ensure_path(base)
    made = [a.create_async(base + "/n-", b"%d" % i, sequence=True) for i in range(200)]
    paths = [result.get(timeout=60) for result in made]
    equal(paths, ["%s/n-%010d" % (base, i) for i in range(200)])
    equal([r.get(timeout=60)[0] for r in [a.get_async(p) for p in paths]], [b"%d" % i for i in range(200)])


def test_server_version(world):
    version = world.client().server_version()
    assert (3, 8) <= version[:2] < (4, 0), version


def test_acls(world):
    owner, other, base = world.client(auth_data=[("digest", "bob:pw")]), world.client(), world.base
    owner.ensure_path(base)
    mine = [make_digest_acl("bob", "pw", all=True)]
    owner.create(base + "/secret", b"s", acl=CREATOR_ALL_ACL)
    acls, stat = owner.get_acls(base + "/secret")
    equal((acls, stat.aversion), (mine, 0))
    raises(NoAuthError, other.get, base + "/secret")
    raises(NoAuthError, other.set, base + "/secret", b"")
    raises(NoAuthError, other.create, base + "/secret/n")
    raises(NoAuthError, other.set_acls, base + "/secret", OPEN_ACL_UNSAFE)
    raises(NoAuthError, other.delete, base + "/secret/n")
    equal(owner.set_acls(base + "/secret", mine + [make_acl("world", "anyone", read=True)], version=0).aversion, 1)
    equal(other.get(base + "/secret")[0], b"s")
    raises(BadVersionError, owner.set_acls, base + "/secret", OPEN_ACL_UNSAFE, version=0)
    raises(InvalidACLError, other.create, base + "/x", acl=CREATOR_ALL_ACL)
    other.add_auth("digest", "bob:pw")
    equal(other.set(base + "/secret", b"t").version, 1)


def test_transaction(world):
    a, base = world.client(), world.base
    a.ensure_path(base)
    t = a.transaction()
    t.create(base + "/t", b"1")
    t.create(base + "/t/s-", sequence=True)
    t.set_data(base + "/t", b"22")
    t.check(base + "/t", 1)
    t.delete(base + "/t/s-0000000000")
    results = t.commit()
    equal(results[:2] + results[3:], [base + "/t", base + "/t/s-0000000000", True, True])
    equal((results[2].version, results[2].dataLength), (1, 2))

    t = a.transaction()
    t.create(base + "/u")
    t.delete(base + "/missing")
    t.create(base + "/v")
    equal([type(r) for r in t.commit()], [RolledBackError, NoNodeError, RuntimeInconsistency])
    equal(a.get_children(base), ["t"])
    with a.transaction() as t:
        t.create(base + "/w")
    equal(sorted(a.get_children(base)), ["t", "w"])
