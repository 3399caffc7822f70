# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Lock, ReadLock, WriteLock, Semaphore, Election and NonBlockingLease."""

import datetime
import threading

from kazoo.exceptions import CancelledError, LockTimeout

from harness import PATIENCE, Log, Task, equal, raises, wait_children


class Room:
    """Counts who is inside, and who were at once."""

    def __init__(self):
        self._lock, self._inside, self.most, self.visits = threading.Lock(), 0, 0, 0

    def visit(self, client):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.visits += 1
        client.sync("/")  # a round trip for the wrong ones to come in
        with self._lock:
            self._inside -= 1


def contend(world, make, visitors, rounds):
    room = Room()

    def visit(client):
        lock = make(client)
        for _ in range(rounds):
            assert lock.acquire(timeout=PATIENCE)
            room.visit(client)
            lock.release()
    for task in [Task(visit, world.client()) for _ in range(visitors)]:
        task.join()
    equal(room.visits, visitors * rounds)
    return room


def test_lock(world):
    room = contend(world, lambda client: client.Lock(world.base, "me"), 5, 3)
    equal(room.most, 1)


def test_lock_handover(world):
    a, b = world.client(), world.client()
    first, second = a.Lock(world.base, "a"), b.Lock(world.base, "b")
    assert first.acquire()
    equal(second.acquire(blocking=False), False)
    raises(LockTimeout, second.acquire, timeout=0.05)
    waiting = Task(second.acquire, timeout=PATIENCE)
    wait_children(a, world.base, 2)
    equal(first.contenders(), ["a", "b"])
    a.stop()  # the end of its session releases the lock
    equal(waiting.join(), True)
    equal(second.contenders(), ["b"])


def test_lock_cancel(world):
    a, b = world.client(), world.client()
    first, second = a.Lock(world.base, "a"), b.Lock(world.base, "b")
    assert first.acquire()
    waiting = Task(second.acquire)
    wait_children(a, world.base, 2)
    second.cancel()
    raises(CancelledError, waiting.join)
    wait_children(a, world.base, 1)


def test_read_and_write_lock(world):
    a, b, c = world.client(), world.client(), world.client()
    readers = [a.ReadLock(world.base, "a"), b.ReadLock(world.base, "b")]
    writer = c.WriteLock(world.base, "c")
    for reader in readers:
        assert reader.acquire(timeout=PATIENCE)
    equal(writer.acquire(blocking=False), False)
    waiting = Task(writer.acquire, timeout=PATIENCE)
    wait_children(a, world.base, 3)
    late = a.ReadLock(world.base, "late")
    equal(late.acquire(blocking=False), False)
    for reader in readers:
        reader.release()
    equal(waiting.join(), True)
    blocked = Task(late.acquire, timeout=PATIENCE)
    wait_children(a, world.base, 2)
    writer.release()
    equal(blocked.join(), True)
    late.release()


def test_write_locks(world):
    equal(contend(world, lambda client: client.WriteLock(world.base, "me"), 4, 3).most, 1)


def test_semaphore(world):
    room = contend(world, lambda client: client.Semaphore(world.base, max_leases=2), 5, 3)
    assert room.most <= 2, room.most


def test_semaphore_handover(world):
    a, b, c = world.client(), world.client(), world.client()
    leases = [client.Semaphore(world.base, name, max_leases=2) for client, name in ((a, "a"), (b, "b"), (c, "c"))]
    assert leases[0].acquire() and leases[1].acquire()
    equal(leases[2].acquire(blocking=False), False)
    equal(sorted(leases[2].lease_holders()), ["a", "b"])
    waiting = Task(leases[2].acquire, timeout=PATIENCE)
    leases[0].release()
    equal(waiting.join(), True)
    equal(sorted(leases[1].lease_holders()), ["b", "c"])


def test_election(world):
    clients = [world.client() for _ in range(3)]
    led, resign = Log(), {name: threading.Event() for name in "abc"}

    def lead(name):
        led.add(name)
        assert resign[name].wait(PATIENCE)
    elections = {name: client.Election(world.base, name) for name, client in zip("abc", clients)}
    tasks, order = {}, "bca"
    for n, name in enumerate(order, 1):
        tasks[name] = Task(elections[name].run, lead, name)
        wait_children(clients[0], world.base, n)
    equal(elections["a"].contenders(), list(order))
    for n, name in enumerate(order, 1):
        led.wait(lambda names: len(names) == n)
        resign[name].set()
        tasks[name].join()
    equal(led.items(), list(order))


def test_lease(world):
    a, b, hour = world.client(), world.client(), datetime.timedelta(hours=1)
    assert a.NonBlockingLease(world.base, hour, identifier="a")
    assert not b.NonBlockingLease(world.base, hour, identifier="b")
    assert a.NonBlockingLease(world.base, hour, identifier="a")
