"""Atomic file writes, to a temporary file that is then renamed."""

from __future__ import annotations

import errno
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from backend.untrusted import read_bytes

LARGEST_JSON = 16_000_000
"""Size of the largest JSON file that is read (bytes)."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, an exhausted quota and a limit on the size of files."""

ROOM_BYTES = 256_000
"""Room that a disk must have before a run starts (bytes): the size of a small result."""

PROBE_BYTES = 4096


def check_room(folder: Path) -> None:
    """Check that a folder can be written to and that its disk has `ROOM_BYTES`.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk or the quota is full.
    """
    disk = os.statvfs(folder)
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < ROOM_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    # small, because it takes room from other processes for an instant
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(PROBE_BYTES))


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a binary stream that replaces a file atomically when the context exits.

    Readers never see a partial file. If the body raises or the process crashes, the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # not mkstemp, which creates files readable by their owner only, whatever the user's umask
    stream = open(temporary, "xb")  # noqa: SIM115 (closed below)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with written_whole(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is not a regular file, is larger than `LARGEST_JSON`, or is not JSON in UTF-8.
    """
    try:
        return json.loads(read_bytes(path, LARGEST_JSON).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
