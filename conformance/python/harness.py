# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of kazoo share: clients, the server's switch, bounded waits."""

import sys
import threading
import uuid

from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

PATIENCE = 60  # seconds, for what must happen


class World:
    """What one test gets: the server and a path of its own. Its clients are
    stopped when it ends."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.base = "/" + uuid.uuid4().hex
        self._clients = []

    def client(self, **options):
        retry = {"max_tries": -1, "delay": 0.05, "max_delay": 0.5}
        client = KazooClient(hosts=self.hosts, timeout=10.0, connection_retry=KazooRetry(**retry),
                             command_retry=KazooRetry(**retry), **options)
        self._clients.append(client)
        client.start(timeout=PATIENCE)
        return client

    def close(self):
        for client in self._clients:
            client.stop()
            client.close()

    def ask(self, what):
        """Has the test that runs us do something to the server: stop, start or wipe."""
        print("!" + what, flush=True)
        answer = sys.stdin.readline().strip()
        assert answer == "done", answer

    def restart(self, *clients):
        """Stops the server until the clients have noticed, and starts it again."""
        away = [Seen(client) for client in clients]
        self.ask("stop")
        for seen in away:
            seen.wait_for("SUSPENDED")
        self.ask("start")
        for seen in away:
            seen.wait_for("CONNECTED")


class Seen:
    """The states a client goes through."""

    def __init__(self, client):
        self._log = Log()
        client.add_listener(self._log.add)

    def wait_for(self, state):
        self._log.wait(lambda states: state in states)
        self._log.forget()


class Log:
    """A list that one thread adds to and another one waits for."""

    def __init__(self):
        self._items = []
        self._changed = threading.Condition()

    def add(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def forget(self):
        with self._changed:
            self._items.clear()

    def items(self):
        with self._changed:
            return list(self._items)

    def wait(self, ready):
        with self._changed:
            assert self._changed.wait_for(lambda: ready(self._items), PATIENCE), self._items
            return list(self._items)

    def wait_last(self, value):
        self.wait(lambda items: items and items[-1] == value)


def wait_children(client, path, count):
    """Waits until the node has that many children."""
    client.ensure_path(path)  # a ChildrenWatch of a missing node tells nothing
    log = Log()

    @client.ChildrenWatch(path)
    def watch(children):
        log.add(len(children))
        return len(children) != count
    log.wait(lambda counts: count in counts)


class Task:
    """A function in a thread of its own, whose result or error can be had."""

    def __init__(self, function, *args, **kwargs):
        def run():
            try:
                self._result = function(*args, **kwargs)
            except BaseException as error:  # told by join
                self._error = error
        self._result = self._error = None
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def join(self):
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "still running"
        if self._error is not None:
            raise self._error
        return self._result


def raises(error, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except error:
        return
    raise AssertionError("got %r, want %s" % (result, error.__name__))


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)
