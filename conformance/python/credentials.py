# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""SASL at a server that has none. It needs the module puresasl."""

from kazoo.client import KazooClient
from kazoo.protocol.states import KeeperState

from harness import Log

TIMEOUT = 1.0  # seconds, after which a session ends that is not kept


def refused(world, **options):
    log, client = Log(), KazooClient(hosts=world.hosts, timeout=TIMEOUT, **options)
    client.add_listener(lambda state: log.add((state, client.client_state)))
    client.start_async()
    log.wait_last(("LOST", KeeperState.AUTH_FAILED))
    client.stop()
    client.close()


def test_sasl_options(world):
    refused(world, sasl_options={"mechanism": "DIGEST-MD5", "username": "user", "password": "password"})


def test_sasl_auth_data(world):
    refused(world, auth_data=[("sasl", "user:password")])
