# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""What follows when the server has lost its data: clients are told that their
sessions are gone, and recipes make their nodes and watches again."""

from harness import Log, Seen, equal


def test_session_lost(world):
    a, seen, children = world.client(), None, Log()
    seen = Seen(a)
    identity = a.client_id
    a.ensure_path(world.base)
    party = a.Party(world.base, "me")
    party.join()
    a.ChildrenWatch(world.base, lambda names: children.add(len(names)))
    children.wait_last(1)
    world.ask("wipe")
    seen.wait_for("LOST")
    assert a.retry(a.exists, world.base) is None
    assert a.client_id != identity
    party = a.Party(world.base, "me")
    a.retry(party.join)
    equal(list(party), ["me"])
    after = Log()
    a.ChildrenWatch(world.base, lambda names: after.add(len(names)))
    after.wait_last(1)
