"""Files that come back from a venue: one zip file, which is untrusted.

It may hold only what a job packs: for each run of the job the files that a worker writes, within
their size limits, and the checkpoints of unfinished runs, which are sent out again and never read
here. The content of the other files is checked when they are stored (`here.replies.result_files`).
"""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from backend.cluster.node.task import TERMINATED, TIME_LIMIT
from backend.files import written_whole
from backend.runs.run_files import FROM_WORKER
from backend.untrusted import Damaged, checked, one_line, open_file, parse

NAME, ENDED = "nanoconf-results.zip", "ended.json"

MAXIMUM_BYTES = 400_000_000
"""Maximum size of the file, packed and unpacked (bytes)."""

CHECKPOINT = re.compile(r"checkpoint/\d{1,3}\.npz", re.ASCII)
CHECKPOINT_BYTES = 64_000_000
ENDED_BYTES = 10_000

LAST = ("result.json", "failure.json")


def unpack(path: Path, runs: Path, wanted: Collection[str], listed: Collection[str]) -> str:
    """Unpack the files of runs; return why the job ended early, empty if it did not.

    Parameters
    ----------
    path : Path
        The zip file.
    runs : Path
        Folder of the run folders.
    wanted : collection of str
        IDs of the runs whose files are stored.
    listed : collection of str
        IDs of all runs of the job.

    Raises
    ------
    Damaged
        The file is not a valid result file; nothing was stored.
    """
    try:
        with open_file(path, MAXIMUM_BYTES) as stream, zipfile.ZipFile(stream) as content:
            members = _members(content, listed)
            why = _why(content)
            # the files that mark a run as finished come last
            for run_id, name in sorted(members, key=lambda each: (each[1] in LAST, each)):
                if run_id in wanted:
                    _store(content, members[run_id, name], runs / run_id / name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise Damaged(f"is not a complete zip file ({one_line(str(error))[:100]})") from None
    return why


def _members(
    content: zipfile.ZipFile, listed: Collection[str]
) -> dict[tuple[str, str], zipfile.ZipInfo]:
    """Return the files in a zip file by run and name, all of which are allowed."""
    members: dict[tuple[str, str], zipfile.ZipInfo] = {}
    size = 0
    for member in content.infolist():
        if member.filename == ENDED:
            continue
        folder, _, rest = member.filename.partition("/")
        run_id, _, name = rest.partition("/")
        limit = _limit(name)
        if folder != "runs" or run_id not in listed or limit is None:
            raise Damaged(f"contains {one_line(member.filename)[:80]!r}, which no job returns")
        if (run_id, name) in members:
            raise Damaged(f"contains {name} of a run twice")
        if member.file_size > limit:
            raise Damaged(f"contains {name} with more than {limit} bytes")
        size += member.file_size
        members[run_id, name] = member
    if size > MAXIMUM_BYTES:
        raise Damaged(f"unpacks to more than {MAXIMUM_BYTES} bytes")
    return members


def _limit(name: str) -> int | None:
    """Return the maximum size of a file of a run; None if no job returns it."""
    if name in FROM_WORKER:
        return FROM_WORKER[name].limit
    return CHECKPOINT_BYTES if CHECKPOINT.fullmatch(name) else None


def _why(content: zipfile.ZipFile) -> str:
    if ENDED not in content.namelist():
        return ""
    with content.open(ENDED) as stream:
        ended = checked(dict[str, Any], parse(stream.read(ENDED_BYTES)))
    return why if (why := ended.get("why")) in (TIME_LIMIT, TERMINATED) else ""


def _store(content: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with content.open(member) as stream, written_whole(path) as copy:
        shutil.copyfileobj(stream, copy)  # no more bytes than declared
