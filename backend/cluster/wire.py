"""Messages between this computer and the agent on a cluster.

A message is a line ``NANOCONF <bytes> <sha256>``, followed by that many bytes of compressed JSON.
Anything before the line, such as a greeting from the login node, is skipped. An incomplete message
is rejected.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from typing import Any

from backend.untrusted import Damaged, parse

LINE = re.compile(rb"NANOCONF (\d{1,12}) ([0-9a-f]{64})\n")


MAXIMUM_PACKED = 100_000_000
"""Maximum size of a message (bytes)."""

MAXIMUM_UNPACKED = 160_000_000
"""Maximum size of its JSON (bytes): the largest trajectory, 50 MB, takes 70 MB."""

MAXIMUM_VALUES = 2_000_000
"""Maximum number of values in its JSON, each of which takes memory."""


class Broken(Exception):
    """There is no message, or only part of one."""


class Refused(Exception):
    """The message is complete, but is not acceptable."""


def pack(value: Any) -> bytes:
    """Return a JSON value as a message."""
    body = zlib.compress(json.dumps(value).encode(), 3)
    return b"NANOCONF %d %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode()) + body


def unpack(data: bytes) -> Any:
    """Return the value of a message.

    Raises
    ------
    Broken
        There is no message, or only part of one.
    Refused
        It is too large, or is not JSON.
    """
    line = LINE.search(data)
    if line is None:
        raise Broken("it contains no message")
    size = int(line[1])
    if size > MAXIMUM_PACKED:
        raise Refused(f"it has more than {MAXIMUM_PACKED} bytes")
    body = data[line.end() : line.end() + size]
    if hashlib.sha256(body).hexdigest().encode() != line[2]:
        raise Broken("the message is truncated")
    return _parsed(_unpacked(body))


def _unpacked(body: bytes) -> bytes:
    """Decompress a message, which may be small and unpack to any size."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(body, MAXIMUM_UNPACKED)
    except zlib.error as error:
        raise Refused(f"it cannot be unpacked: {error}") from error
    if unpacker.unconsumed_tail:
        raise Refused(f"it unpacks to more than {MAXIMUM_UNPACKED} bytes")
    if not unpacker.eof:
        raise Refused("it is incomplete")
    return text


def _parsed(text: bytes) -> Any:
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAXIMUM_VALUES:
        raise Refused(f"it has more than {MAXIMUM_VALUES} values")
    try:
        return parse(text)
    except Damaged as error:
        raise Refused(f"it {error}") from error


def as_text(content: bytes) -> str:
    """Encode a file's content for a message."""
    return base64.b64encode(content).decode()


def as_bytes(text: str) -> bytes:
    """Decode a file's content from a message."""
    return base64.b64decode(text, validate=True)
