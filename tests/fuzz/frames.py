"""Malformed frames of the page's websocket."""

from __future__ import annotations

import json
import struct
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1

from nanoconf.gui.server.frames import is_well_formed
from tests.fuzz.cases import TEXTS, Hang, kind, time_limit
from tests.support.web import assemble

NUMBERS = (0, 1, 5, 6, 7, 255, 257, 2**16, 2**31, 2**32 + 6, 2**53, 2**63, 2**64 - 1)
"""Numbers that are wrong for a count or an offset, or nearly right."""

VALUES = (None, True, 0, -1, 1e300, "", "comm_msg", [], {}, [[]], {"msg_type": None})
"""Values of the wrong type, in place of a header or its type."""


@dataclass(frozen=True)
class Frame:
    """A frame that is refused, unless the damage has left a complete message.

    Attributes
    ----------
    content : bytes or str
        The frame.
    """

    content: bytes | str

    def problems(self) -> list[str]:
        """Check the frame, and if it is accepted let jupyter_server read it."""
        try:
            with time_limit():
                return self._problems()
        except Hang:
            return ["it hangs"]
        except Exception:
            return [traceback.format_exc()]

    def _problems(self) -> list[str]:
        if not is_well_formed(self.content):
            return []
        if not isinstance(self.content, bytes):
            return ["text is accepted"]
        channel, parts = deserialize_msg_from_ws_v1(self.content)
        header = json.loads(parts[0])
        if channel not in ("shell", "control") or not isinstance(header["msg_type"], str):
            return [f"accepted for {channel!r}: {header}"]
        return [] if len(parts) >= 4 else [f"accepted with {len(parts)} parts"]


@kind("frames", 0.2)
def frames(random: Random, _folder: Path) -> Frame:
    """Make a frame with wrong numbers, JSON, types or length, or of random bytes."""
    make = random.choice((_noise, _cut, _numbers, _bytes, _header, _parts, _text))
    return Frame(make(random))


def _message(header: object = None) -> bytes:
    header = {"msg_type": "comm_msg"} if header is None else header
    return assemble([b"shell", json.dumps(header).encode(), b"{}", b"{}", b"{}", b"buffer"])


def _noise(random: Random) -> bytes:
    return random.choice((random.randbytes(random.randint(0, 400)), b"\xff" * 8, b"\xff" * 400))


def _cut(random: Random) -> bytes:
    begin, end = random.choice(((0, -1), (0, 8), (8, None), (0, random.randint(0, 100))))
    return _message()[begin:end]


def _numbers(random: Random) -> bytes:
    """Replace the count or some offsets."""
    frame = bytearray(_message())
    for _ in range(random.randint(1, 3)):
        number = random.choice((*NUMBERS, random.randint(0, len(frame))))
        struct.pack_into("<Q", frame, 8 * random.randint(0, 7), number)
    return bytes(frame)


def _bytes(random: Random) -> bytes:
    frame = bytearray(_message())
    for _ in range(random.randint(1, 5)):
        frame[random.randrange(len(frame))] = random.randrange(256)
    return bytes(frame)


def _header(random: Random) -> bytes:
    """Use a header that is no JSON, no object, or without a type."""
    if random.random() < 0.5:
        return _message(random.choice((*VALUES[1:], {"msg_type": random.choice(VALUES)})))
    text = random.choice((*TEXTS, "[" * 100_000, '{"msg_type":', '{"msg_type": "x"}}', "NaN"))
    return assemble([b"shell", text.encode("utf-8", "surrogateescape"), b"{}", b"{}", b"{}"])


def _parts(random: Random) -> bytes:
    """Use a wrong channel or a wrong number of parts."""
    channel = random.choice((b"iopub", b"stdin", b"", b"SHELL", b"\xff", b"shell"))
    return assemble([channel, b'{"msg_type": "x"}', *[b"{}"] * random.choice((0, 1, 2, 300))])


def _text(random: Random) -> str:
    message = json.dumps({"header": {"msg_type": "comm_msg"}, "channel": "shell"})
    return random.choice((message, random.choice(TEXTS), _message().decode("latin-1")))
