# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0

"""A server of the divide service that registers itself in ZooKeeper.

    python3 server.py 127.0.0.1 8001 --zookeeper 127.0.0.1:2181

It creates the ephemeral, sequential node /rpc/server with its address.
SIGTERM and SIGINT remove the node and end the program with status 0.
"""

import argparse
import json
import signal
import socket
import socketserver
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

import divide_rpc

DIRECTORY = "/rpc"
LEAVE_SECONDS = 2  # how long the removal of the node may take


class Handler(socketserver.StreamRequestHandler):
    """Answers the requests of one connection, in a thread of its own."""

    disable_nagle_algorithm = True

    def handle(self):
        try:
            self.answer_all()
        except divide_rpc.FormatError as error:
            print(f"connection of {self.client_address} closed: {error}",
                  file=sys.stderr, flush=True)
        except OSError:
            pass  # the client is gone

    def answer_all(self):
        while True:
            request = divide_rpc.read_request(self.rfile)
            if request is None:
                return
            self.wfile.write(divide_rpc.append_reply(*request))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def register(zookeeper, host, port):
    """Put the server into the list and return its node."""
    zookeeper.ensure_path(DIRECTORY)
    data = json.dumps({"host": host, "port": port}).encode("utf-8")
    return zookeeper.create(DIRECTORY + "/server", data,
                            ephemeral=True, sequence=True)


def leave(zookeeper, node):
    """Take the server out of the list; else the session's end does."""
    try:
        zookeeper.delete_async(node).get(timeout=LEAVE_SECONDS)
    except (KazooException, KazooTimeoutError) as error:
        print(f"{node} was not removed: {error!r}", file=sys.stderr)
    zookeeper.stop()


def serve(host, port, hosts, stop):
    """Serve until stop is set."""
    if ":" in host:
        Server.address_family = socket.AF_INET6
    with Server((host, port), Handler) as server:
        port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = divide_rpc.join_host_port(host, port)
            print(f"serving on {address}", flush=True)
            zookeeper = KazooClient(hosts=hosts)
            zookeeper.start()
            node = register(zookeeper, host, port)
            print(f"registered as {node}", flush=True)
            stop.wait()
            leave(zookeeper, node)
        finally:
            server.shutdown()
            thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host", metavar="HOST")
    parser.add_argument("port", metavar="PORT", type=int)
    parser.add_argument("--zookeeper", metavar="HOSTS",
                        default="127.0.0.1:2181")
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(args.host, args.port, args.zookeeper, stop)
    except (OSError, OverflowError,
            KazooException, KazooTimeoutError) as error:
        sys.exit(f"server.py: {error!r}")


if __name__ == "__main__":
    main()
