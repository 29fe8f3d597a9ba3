"""Reports on running jobs, as lines of text in their standard output.

``submit --tailStdout`` repeats the last lines of a job's output while it runs, perhaps more than
once, and nothing else is returned before the job ends. A report is compressed JSON in a few lines
of moderate length; one that is incomplete or damaged is ignored.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

from backend.untrusted import Damaged, parse

MARK = "NANOCONF-REPORT"
LINE = re.compile(rb"NANOCONF-REPORT ([0-9a-f]{16}) (\d{1,4})/(\d{1,4}) ([A-Za-z0-9+/=]+)\s*")

LINE_CHARACTERS = 1000
MAXIMUM_BYTES = 4_000_000
"""Maximum size of a report, packed and unpacked (bytes)."""


def lines(report: dict[str, Any]) -> list[str]:
    """Return a report as lines of text."""
    text = base64.b64encode(zlib.compress(json.dumps(report).encode(), 6)).decode()
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    parts = [text[i : i + LINE_CHARACTERS] for i in range(0, len(text), LINE_CHARACTERS)]
    return [f"{MARK} {digest} {i}/{len(parts)} {part}" for i, part in enumerate(parts)]


class Collector:
    """Reports in a stream of output, which arrives piece by piece."""

    def __init__(self) -> None:
        self._rest = b""
        self._digest = b""
        self._parts: dict[int, bytes] = {}

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Return the reports that the next piece of the stream completes."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-2 * LINE_CHARACTERS :]
        for line in whole:
            if found := LINE.fullmatch(line):
                yield from self._add(found[1], int(found[2]), int(found[3]), found[4])

    def _add(self, digest: bytes, index: int, count: int, part: bytes) -> Iterator[dict[str, Any]]:
        if len(part) > LINE_CHARACTERS:
            return
        if digest != self._digest:
            self._digest, self._parts = digest, {}
        self._parts[index] = part
        if count * len(part) > MAXIMUM_BYTES or set(self._parts) != set(range(count)):
            return
        text = b"".join(self._parts[i] for i in range(count))
        self._parts = {}
        if hashlib.sha256(text).hexdigest()[:16].encode() == digest and (found := _unpacked(text)):
            yield found


def _unpacked(text: bytes) -> dict[str, Any] | None:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(base64.b64decode(text, validate=True), MAXIMUM_BYTES)
        report = parse(content) if unpacker.eof else None
    except (ValueError, zlib.error, Damaged):
        return None
    return report if isinstance(report, dict) else None
