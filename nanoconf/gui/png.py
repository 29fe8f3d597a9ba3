"""Writes a figure as a PNG file while somebody waits for it.

Pillow tries five filters on every line, which takes longer than drawing; flat colours need none.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

FASTEST = 1
"""Compression: the image is sent once, to a browser nearby."""

TRUE_COLOUR = 2


def encoded(pixels: np.ndarray) -> bytes:
    """A PNG file (ISO/IEC 15948).

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3 or more)
        Red, green, blue.
    """
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with its filter: 0, none
    lines[:, 1:] = pixels[..., :3].reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, TRUE_COLOUR, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(lines.data, FASTEST)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
