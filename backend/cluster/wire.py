"""Messages between here and there: whole, or not at all.

A message is a line ``NANOCONF <bytes> <sha256>``, then so many bytes of compressed JSON. What comes
before the line (a greeting of the login node, say) is skipped; a message that breaks off is none.
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
    """What came is no whole message."""


def pack(value: Any) -> bytes:
    """A JSON value as a message."""
    body = zlib.compress(json.dumps(value).encode(), 3)
    return b"NANOCONF %d %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode()) + body


def unpack(data: bytes) -> Any:
    """The value of a message.

    Raises
    ------
    Broken
        There is no message, or only part of one.
    """
    line = LINE.search(data)
    if line is None:
        raise Broken("no message")
    body = data[line.end() : line.end() + int(line[1])]
    if hashlib.sha256(body).hexdigest().encode() != line[2]:
        raise Broken("a message that breaks off")
    return json.loads(zlib.decompress(body))


def as_text(content: bytes) -> str:
    """A file's content for a message."""
    return base64.b64encode(content).decode()


def as_bytes(text: str) -> bytes:
    """A file's content from a message."""
    return base64.b64decode(text, validate=True)
