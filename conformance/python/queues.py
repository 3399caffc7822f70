# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Queue and LockingQueue."""

from harness import PATIENCE, Task, equal


def test_queue(world):
    a, b = world.client().Queue(world.base), world.client().Queue(world.base)
    equal(a.get(), None)
    for value, priority in ((b"late", 200), (b"one", 100), (b"two", 100), (b"first", 1)):
        a.put(value, priority)
    equal(len(b), 4)
    equal([b.get() for _ in range(5)], [b"first", b"one", b"two", b"late", None])


def test_queue_shared(world):
    makers, takers = [world.client() for _ in range(2)], [world.client() for _ in range(3)]

    def put(client, n):
        for i in range(20):
            client.Queue(world.base).put(b"%d-%d" % (n, i))
    for task in [Task(put, client, n) for n, client in enumerate(makers)]:
        task.join()

    def take(client):
        queue, got = client.Queue(world.base), []
        while True:
            value = queue.get()
            if value is None:
                return got
            got.append(value)
    got = [value for task in [Task(take, client) for client in takers] for value in task.join()]
    equal(sorted(got), sorted(b"%d-%d" % (n, i) for n in range(2) for i in range(20)))


def test_locking_queue(world):
    a, b = world.client().LockingQueue(world.base), world.client().LockingQueue(world.base)
    a.put(b"one")
    a.put_all([b"two", b"three"])
    a.put(b"urgent", priority=1)
    equal(a.get(PATIENCE), b"urgent")
    equal(a.get(PATIENCE), b"urgent")
    assert a.holds_lock()
    equal(b.get(PATIENCE), b"one")
    equal(a.consume(), True)
    equal(b.release(), True)
    equal(a.get(PATIENCE), b"one")
    equal(b.get(PATIENCE), b"two")
    equal(a.consume(), True)
    equal(b.consume(), True)
    equal(b.consume(), False)
    equal(a.get(PATIENCE), b"three")
    equal(a.consume(), True)
    equal(a.get(0.05), None)
    waiting = Task(b.get, PATIENCE)
    a.put(b"four")
    equal(waiting.join(), b"four")


def test_locking_queue_of_the_dead(world):
    dead = world.client()
    a, b = dead.LockingQueue(world.base), world.client().LockingQueue(world.base)
    a.put(b"one")
    equal(a.get(PATIENCE), b"one")
    waiting = Task(b.get, PATIENCE)
    dead.stop()
    equal(waiting.join(), b"one")
