# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0

"""A client of the divide service that finds its servers in ZooKeeper.

    python3 client.py --zookeeper 127.0.0.1:2181 -n 50 --interval 1

It calls divide(0), divide(1), ... on servers that it picks at random, each
call on a connection of its own, and prints a line for each call.
"""

import argparse
import decimal
import json
import random
import signal
import socket
import struct
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

import divide_rpc

DIRECTORY = "/rpc"
CONNECT_SECONDS = 1
CALL_SECONDS = 10  # the limit of a call, the wait for a server included
RETRY_SECONDS = 1  # the pause after all servers have refused


class NoServer(Exception):
    """Nobody answered a call in time."""


class ServerList:
    """The servers that are registered now."""

    def __init__(self, zookeeper):
        self._zookeeper = zookeeper
        self._changed = threading.Condition()
        self._servers = {}  # by node: (host, port), None where unreadable

    def watch(self):
        self._zookeeper.ensure_path(DIRECTORY)
        self._zookeeper.ChildrenWatch(DIRECTORY, self._update)

    def _update(self, nodes):
        """Take over a new list; a node's data never changes."""
        servers = {}
        for node in nodes:
            try:
                servers[node] = self._servers.get(node) or self._read(node)
            except NoNodeError:
                continue  # it left between the list and the read
        with self._changed:
            self._servers = servers
            self._changed.notify_all()

    def _read(self, node):
        data, _ = self._zookeeper.retry(self._zookeeper.get,
                                        f"{DIRECTORY}/{node}")
        try:
            entry = json.loads(data)
            return str(entry["host"]), int(entry["port"])
        except (ValueError, KeyError, TypeError) as error:
            print(f"{node} is no server: {error!r}", file=sys.stderr)
            return None

    def pick(self, refused):
        """Return a server that has not refused, None where there is none."""
        with self._changed:
            servers = set(self._servers.values()) - refused - {None}
        return random.choice(sorted(servers)) if servers else None

    def wait(self, seconds):
        with self._changed:
            self._changed.wait(seconds)


def call_server(server, num1, num2):
    with socket.create_connection(server, timeout=CONNECT_SECONDS) as sock:
        sock.settimeout(CALL_SECONDS)
        sock.sendall(divide_rpc.append_request(num1, num2))
        with sock.makefile("rb") as stream:
            return divide_rpc.read_reply(stream)


def call(servers, num1, num2):
    """Return (host:port, answer): the value, or an InvalidOperation.

    A division may be done twice without harm, so that another server is tried
    after every failure on the way.
    """
    deadline = time.monotonic() + CALL_SECONDS
    refused = set()
    failure = "the list is empty"
    while time.monotonic() < deadline:
        server = servers.pick(refused)
        if server is None:
            left = max(deadline - time.monotonic(), 0)
            servers.wait(min(RETRY_SECONDS, left))
            refused.clear()
            continue
        address = divide_rpc.join_host_port(*server)
        try:
            return address, call_server(server, num1, num2)
        except divide_rpc.InvalidOperation as error:
            return address, error
        except (OSError, divide_rpc.FormatError) as error:
            failure = f"{address}: {error}"
            refused.add(server)
    raise NoServer(f"no server answered, the last failure: {failure}")


def shortest(value):
    """Write a 32-bit float with as few digits as tell it from all others."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("!f", float(text)) == struct.pack("!f", value):
                break
        except OverflowError:
            continue  # rounded up past the greatest one
    return format(decimal.Decimal(text), "f")


def call_all(servers, args):
    """Make the calls, until SIGINT; return whether each was answered."""
    answered = True
    number = 0
    try:
        while args.n == 0 or number < args.n:
            if number:
                time.sleep(args.interval)
            try:
                num1, num2 = (1, 0) if args.zero else (number, 1)
                address, answer = call(servers, num1, num2)
            except NoServer as error:
                answered = False
                address, answer = "-", error
            if isinstance(answer, Exception):
                print(f"{address} error: {answer}", flush=True)
            else:
                print(f"{address} {shortest(answer)}", flush=True)
            number += 1
    except KeyboardInterrupt:
        pass  # the user's wish is no failure
    return answered


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zookeeper", metavar="HOSTS",
                        default="127.0.0.1:2181")
    parser.add_argument("-n", metavar="N", type=int, default=50,
                        help="how many calls; 0: until SIGINT")
    parser.add_argument("--interval", metavar="SECONDS", type=float, default=1,
                        help="the pause between two calls")
    parser.add_argument("--zero", action="store_true",
                        help="call divide(1, 0), an invalid operation")
    args = parser.parse_args()
    if args.n < 0 or args.interval < 0:
        parser.error("-n and --interval: give 0 or more")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    zookeeper = KazooClient(hosts=args.zookeeper)
    answered = True
    try:
        zookeeper.start()
        servers = ServerList(zookeeper)
        servers.watch()
        answered = call_all(servers, args)
    except KeyboardInterrupt:
        pass  # while starting
    except (KazooException, KazooTimeoutError) as error:
        sys.exit(f"client.py: {error!r}")
    finally:
        zookeeper.stop()
    sys.exit(0 if answered else 1)


if __name__ == "__main__":
    main()
