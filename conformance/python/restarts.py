# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""What outlives a restart of a server that keeps its data."""

from kazoo.recipe.cache import TreeEvent

from caches import watch_tree
from harness import PATIENCE, Log, Task, equal, wait_children


def test_session(world):
    a = world.client()
    a.ensure_path(world.base)
    path, identity = a.create(world.base + "/e-", ephemeral=True, sequence=True), a.client_id
    world.restart(a)
    equal(a.client_id, identity)
    equal(a.retry(a.get, path)[1].ephemeralOwner, identity[0])
    equal(a.retry(a.create, world.base + "/e-", ephemeral=True, sequence=True), world.base + "/e-0000000001")


def test_watches(world):
    a, b, children, data = world.client(), world.client(), Log(), Log()
    a.create(world.base, b"1")
    b.ChildrenWatch(world.base, lambda names: children.add(sorted(names)))
    b.DataWatch(world.base, lambda value, stat: data.add(value))
    children.wait_last([])
    data.wait_last(b"1")
    for n in (1, 2):
        world.restart(a, b)
        a.retry(a.create, world.base + "/n%d" % n)
        a.retry(a.set, world.base, b"after %d" % n)
        children.wait_last(["n%d" % i for i in range(1, n + 1)])
        data.wait_last(b"after %d" % n)


def test_tree_cache(world):
    a, b, log = world.client(), world.client(), Log()
    a.create(world.base + "/x", b"1", makepath=True)
    cache = watch_tree(b, world.base, log)
    world.restart(a, b)
    log.wait(lambda events: (TreeEvent.CONNECTION_RECONNECTED, None, None) in events)
    a.retry(a.set, world.base + "/x", b"2")
    log.wait(lambda events: (TreeEvent.NODE_UPDATED, world.base + "/x", b"2") in events)
    equal(cache.get_data(world.base + "/x").data, b"2")
    cache.close()


def test_lock(world):
    a, b = world.client(), world.client()
    first, second = a.Lock(world.base, "a"), b.Lock(world.base, "b")
    assert first.acquire(timeout=PATIENCE)
    waiting = Task(second.acquire, timeout=PATIENCE)
    wait_children(a, world.base, 2)
    world.restart(a, b)
    equal(first.contenders(), ["a", "b"])
    assert not second.is_acquired
    first.release()
    equal(waiting.join(), True)


def test_retry(world):
    a = world.client()
    a.ensure_path(world.base)
    world.ask("stop")
    waiting = Task(a.retry, a.create, world.base + "/n", b"x")
    world.ask("start")
    equal(waiting.join(), world.base + "/n")
    equal(a.retry(a.get, world.base + "/n")[0], b"x")
