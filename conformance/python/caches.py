# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""ChildrenWatch, DataWatch and TreeCache."""

from kazoo.recipe.cache import TreeCache, TreeEvent

from harness import Log, equal


def test_children_watch(world):
    a, b, log = world.client(), world.client(), Log()
    a.ensure_path(world.base)
    b.ChildrenWatch(world.base, lambda children: log.add(sorted(children)))
    log.wait_last([])
    for want in (["m0000000000"], ["m0000000000", "m0000000001"]):
        a.create(world.base + "/m", ephemeral=True, sequence=True)
        log.wait_last(want)
    a.stop()
    log.wait_last([])


def test_data_watch(world):
    a, b, log = world.client(), world.client(), Log()
    b.DataWatch(world.base, lambda data, stat: log.add((data, stat and stat.version)))
    log.wait_last((None, None))
    a.create(world.base, b"1")
    log.wait_last((b"1", 0))
    a.set(world.base, b"2")
    log.wait_last((b"2", 1))
    a.delete(world.base)
    log.wait_last((None, None))
    a.create(world.base, b"3")
    log.wait_last((b"3", 0))


def watch_tree(client, path, log):
    def note(event):
        data = event.event_data
        log.add((event.event_type, data and data.path, data and data.data))
    cache = TreeCache(client, path)
    cache.listen(note)
    cache.listen_fault(lambda error: log.add(("fault", repr(error))))
    cache.start()
    log.wait(lambda events: (TreeEvent.INITIALIZED, None, None) in events)
    return cache


def test_tree_cache(world):
    a, b, log, base = world.client(), world.client(), Log(), world.base
    a.create(base + "/x/y", b"1", makepath=True)
    cache = watch_tree(b, base, log)
    equal((cache.get_children(base), cache.get_data(base + "/x/y").data), ({"x"}, b"1"))
    a.set(base + "/x/y", b"2")
    log.wait_last((TreeEvent.NODE_UPDATED, base + "/x/y", b"2"))
    a.create(base + "/x/z", b"3")
    log.wait_last((TreeEvent.NODE_ADDED, base + "/x/z", b"3"))
    a.create(base + "/x/z/deep", b"4")
    log.wait_last((TreeEvent.NODE_ADDED, base + "/x/z/deep", b"4"))
    a.delete(base + "/x/y")
    log.wait_last((TreeEvent.NODE_REMOVED, base + "/x/y", b"2"))
    equal(cache.get_children(base + "/x"), {"z"})
    assert not [e for e in log.items() if e[0] == "fault"], log.items()
    cache.close()
