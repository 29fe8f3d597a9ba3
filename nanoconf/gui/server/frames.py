"""Messages from a page to its kernel: their format, their size and their rate."""

from __future__ import annotations

import itertools
import json
import struct
import time
from collections.abc import Callable

PROTOCOL = "v1.kernel.websocket.jupyter.org"
"""The only message format accepted: JupyterLab's, which Voila uses."""

MAX_BYTES = 2**20
"""Largest message. The page's own are below 100 kB; figures and files go the other way."""

CHANNELS = (b"shell", b"control")
"""Channels that a page writes to."""

NUMBER = 8
"""Bytes of each number before the message."""

FEWEST, MOST = 6, 256
"""Allowed numbers of offsets: channel, four JSON parts and the end; buffers in addition."""


def is_well_formed(frame: str | bytes) -> bool:
    """Return True for a complete kernel message.

    jupyter_server 2.21 trusts the numbers in a frame. It loops over a count of up to 2^64,
    blocking every page, so the frame is checked first.
    """
    parts = _parts(frame) if isinstance(frame, bytes) else None
    if parts is None or parts[0] not in CHANNELS:
        return False
    try:
        header = json.loads(parts[1])
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("msg_type"), str)


def _parts(frame: bytes) -> list[bytes] | None:
    """Return the channel, the JSON parts and the buffers; None if the numbers are wrong."""
    count = int.from_bytes(frame[:NUMBER], "little")
    start = NUMBER * (count + 1)
    if not FEWEST <= count <= MOST or len(frame) < start:
        return None
    offsets = struct.unpack_from(f"<{count}Q", frame, NUMBER)
    edges = list(itertools.pairwise(offsets))
    if offsets[0] != start or offsets[-1] != len(frame) or any(a > b for a, b in edges):
        return None
    return [frame[a:b] for a, b in edges]


class Allowance:
    """Token bucket: messages and bytes that a connection may send.

    A moving slider sends about 30 messages a second; what exceeds the rate is delayed, not lost.

    Parameters
    ----------
    messages, size : float
        Allowed messages and bytes per second. Ten seconds' worth may come at once.
    clock : callable
        Returns the time in seconds.
    """

    BURST_SECONDS = 10.0

    def __init__(
        self,
        messages: float = 100.0,
        size: float = 2**18,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._messages, self._size, self._clock = messages, size, clock
        self._paid_until = clock() - self.BURST_SECONDS

    def delay(self, size: int) -> float:
        """Count a message of a given size; return the seconds to wait before it is handled."""
        now = self._clock()
        cost = max(1 / self._messages, size / self._size)
        self._paid_until = max(self._paid_until, now - self.BURST_SECONDS) + cost
        return max(0.0, self._paid_until - now)
