# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0

"""The message format of the divide service, as bytes on a socket.

A connection carries requests one after the other; the reply to one comes
before the next is read.  All numbers are big-endian.
"""

import struct

NAME = b"divide"
MAX_NAME = 255
MAX_MESSAGE = 64 * 1024
RESULT, INVALID_OPERATION = 1, 2
NUM1, NUM2 = 1, 2
DEFAULT_NUM2 = 1


class FormatError(Exception):
    """Bytes that are no message."""


class InvalidOperation(Exception):
    """A division that has no result."""


def read_exactly(stream, size):
    """Read size bytes; fewer are an error."""
    data = stream.read(size)
    if len(data) < size:
        raise FormatError(f"the stream ended, {len(data)} of {size} bytes")
    return data


def read_length(stream, field, limit):
    (length,) = struct.unpack("!I", read_exactly(stream, 4))
    if length > limit:
        raise FormatError(f"{field} {length}: it is at most {limit}")
    return length


def append_request(num1, num2=DEFAULT_NUM2):
    """Return the request for num1 / num2."""
    args = struct.pack("!Bi", NUM1, num1)
    if num2 != DEFAULT_NUM2:
        args += struct.pack("!Bi", NUM2, num2)
    return (struct.pack("!I", len(NAME)) + NAME
            + struct.pack("!I", len(args)) + args)


def read_request(stream):
    """Return (num1, num2), or None where the stream ends."""
    if not stream.peek(1):
        return None
    name = read_exactly(stream, read_length(stream, "name length", MAX_NAME))
    if name != NAME:
        raise FormatError(f"name {name!r}: the only function is {NAME!r}")
    length = read_length(stream, "arguments length", 10)
    if length not in (5, 10):
        raise FormatError(f"arguments length {length}: it is 5 or 10")
    values = {}
    for seq, value in struct.iter_unpack("!Bi", read_exactly(stream, length)):
        if seq not in (NUM1, NUM2) or seq in values:
            raise FormatError(f"sequence number {seq}: one 1 and one 2")
        values[seq] = value
    if NUM1 not in values:
        raise FormatError("num1 is missing")
    return values[NUM1], values.get(NUM2, DEFAULT_NUM2)


def append_reply(num1, num2):
    """Divide and return the reply."""
    if num2 == 0:
        message = b"invalid operation"
        return struct.pack("!BI", INVALID_OPERATION, len(message)) + message
    return struct.pack("!Bf", RESULT, num1 / num2)


def read_reply(stream):
    """Return the result, or raise InvalidOperation."""
    kind = read_exactly(stream, 1)[0]
    if kind == RESULT:
        (value,) = struct.unpack("!f", read_exactly(stream, 4))
        return value
    if kind != INVALID_OPERATION:
        raise FormatError(f"kind {kind}: it is 1 or 2")
    length = read_length(stream, "message length", MAX_MESSAGE)
    try:
        message = read_exactly(stream, length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"message: {error}") from error
    raise InvalidOperation(message)


def join_host_port(host, port):
    """Return host:port, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
