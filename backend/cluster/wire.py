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

LINE = re.compile(rb"NANOCONF (\d{1,12}) ([0-9a-f]{64})\n")


class Broken(Exception):
    """There is no message, or only part of one."""


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
    """
    line = LINE.search(data)
    if line is None:
        raise Broken("it contains no message")
    body = data[line.end() : line.end() + int(line[1])]
    if hashlib.sha256(body).hexdigest().encode() != line[2]:
        raise Broken("the message is truncated")
    return json.loads(zlib.decompress(body))


def as_text(content: bytes) -> str:
    """Encode a file's content for a message."""
    return base64.b64encode(content).decode()


def as_bytes(text: str) -> bytes:
    """Decode a file's content from a message."""
    return base64.b64decode(text, validate=True)
