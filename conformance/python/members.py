# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Barrier, DoubleBarrier, Counter, Party and ShallowParty."""

from harness import PATIENCE, Log, Task, equal, wait_children


def test_barrier(world):
    a, b = world.client(), world.client()
    barrier = a.Barrier(world.base)
    equal(b.Barrier(world.base).wait(0.05), True)
    barrier.create()
    equal(b.Barrier(world.base).wait(0.05), False)
    waiting = Task(b.Barrier(world.base).wait, PATIENCE)
    equal(barrier.remove(), True)
    equal(waiting.join(), True)
    equal(barrier.remove(), False)


def test_double_barrier(world):
    clients, log = [world.client() for _ in range(3)], Log()
    world.client().ensure_path(world.base)

    def meet(client):
        barrier = client.DoubleBarrier(world.base, len(clients))
        barrier.enter()
        log.add("in")
        log.wait(lambda names: names.count("in") == len(clients))
        barrier.leave()
        log.add("out")
        return barrier.participating
    tasks = [Task(meet, client) for client in clients[:2]]
    wait_children(clients[2], world.base, 2)
    equal(log.items(), [])
    tasks.append(Task(meet, clients[2]))
    for task in tasks:
        equal(task.join(), False)
    equal(log.items(), ["in"] * 3 + ["out"] * 3)
    equal(clients[0].get_children(world.base), [])


def test_counter(world):
    clients = [world.client() for _ in range(4)]

    def count(client):
        counter = client.Counter(world.base)
        for _ in range(10):
            counter += 2
            counter -= 1
    for task in [Task(count, client) for client in clients]:
        task.join()
    equal(clients[0].Counter(world.base).value, 40)
    real = clients[0].Counter(world.base + "-real", default=1.5)
    real += 1.0
    equal(clients[1].Counter(world.base + "-real", default=0.0).value, 2.5)


def parties(world, kind):
    a, b = world.client(), world.client()
    one, two = getattr(a, kind)(world.base, "one"), getattr(b, kind)(world.base, "two")
    one.join()
    two.join()
    two.join()
    equal((sorted(one), len(two)), (["one", "two"], 2))
    one.leave()
    equal((list(two), len(two)), (["two"], 1))
    one.join()
    b.stop()
    wait_children(a, world.base, 1)
    equal(list(one), ["one"])


def test_party(world):
    parties(world, "Party")


def test_shallow_party(world):
    parties(world, "ShallowParty")
