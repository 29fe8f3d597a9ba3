"""Validated contents of the files in a run folder; docs/run-folder.md describes the files.

A run folder is data from outside: a bad disk, another version or a hostile cluster may have written
it. Everything that reads or receives one goes through this module, so that a damaged file has the
same meaning everywhere: it is an error with one line, and never the wrong type.
"""

from __future__ import annotations

import math
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from backend.dataclass_json import known
from backend.untrusted import (
    JSON_BYTES,
    Damaged,
    as_text,
    checked,
    in_words,
    one_line,
    open_file,
    parse,
    read_bytes,
    read_text,
)

if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import SimulationResult
    from backend.system import SlitSystem

RUN_ID = re.compile(r"[0-9a-f]{32}")
INPUTS_HASH = re.compile(r"[0-9a-f]{64}")

LOCAL = "local"

QUEUES = ("interactive", "sweep")
"""Queues in order of priority: runs that a user is waiting for, and runs of a sweep."""

NAME_BYTES = 10_000
TABLE_BYTES = 1_000_000
LOG_BYTES = 16_000_000
LARGEST_LOG = 1 << 40
"""Size limit of a log of which only the end is read (bytes)."""

BLOCKS_BYTES = 64_000_000
"""Maximum size of ``blocks.npz``, and of its array when unpacked."""

TRAJECTORY_BYTES = 64_000_000


@dataclass(frozen=True)
class Request:
    """Content of ``run.json``; keys of later versions are ignored."""

    id: str
    created: str
    inputs_hash: str
    system: dict[str, Any]
    settings: dict[str, Any]
    name: str = ""
    owner: str = ""
    queue: Literal["interactive", "sweep"] = "interactive"
    where: str = LOCAL
    version: str = ""
    cluster: dict[str, Any] | None = None
    continues: str = ""


@dataclass(frozen=True)
class Resources:
    """Resources of a run on a cluster."""

    cores: int
    minutes: int
    config: str = ""


@dataclass(frozen=True)
class Attempt:
    """Entry of ``attempts.json``."""

    boot: str
    ended: str | None
    started: str = ""
    pid: int = 0
    host: str = ""


@dataclass(frozen=True)
class Failure:
    """Content of ``failure.json``."""

    state: Literal["failed", "cancelled"]
    reason: str
    error: str = ""
    detail: str = ""
    time: str = ""


@dataclass(frozen=True)
class ProgressRecord:
    """Content of ``progress.json``."""

    phase: Literal["compiling", "equilibrating", "sampling"]
    fraction: float
    seconds_left: float | None = None
    steps_per_second: float | None = None
    simulated_ns: float = 0.0
    median_relative_error: float | None = None
    updated: str = ""


@dataclass(frozen=True)
class ClusterStatus:
    """Content of ``cluster.json``."""

    state: Literal["queued", "running"] = "queued"
    reason: str = ""
    note: str = ""
    slurm: str = ""
    cluster: str = ""
    job: str = ""
    job_id: int | None = None
    tries: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Outcome:
    """Main numbers of a result; None where they are damaged or an earlier version has none.

    Attributes
    ----------
    simulated_ns : float or None
        Production time (ns).
    median_relative_error : float or None
        Median relative standard error of the profile.
    converged : bool or None
        True if the run has converged.
    """

    simulated_ns: float | None = None
    median_relative_error: float | None = None
    converged: bool | None = None


# --- contents -------------------------------------------------------------------------------


def request(content: bytes) -> dict[str, Any]:
    """Parse ``run.json``; raise `Damaged`, or `InvalidInput` for its system and settings."""
    values = checked(dict[str, Any], parse(content))
    read: Request = checked(Request, known(Request, values))
    if not RUN_ID.fullmatch(read.id):
        raise Damaged("has an invalid id")
    if not INPUTS_HASH.fullmatch(read.inputs_hash):
        raise Damaged("has an invalid inputs_hash")
    if read.continues and not RUN_ID.fullmatch(read.continues):
        raise Damaged("continues something that is not a run")
    _check_time(read.created)
    for name in ("where", "version"):
        if not getattr(read, name).isprintable():
            raise Damaged(f"has {name} with control characters")
    if (read.where == LOCAL) != (read.cluster is None) or not read.where:
        raise Damaged(f"has where = {read.where!r}, which does not match its cluster")
    if read.cluster is not None:
        resources: Resources = checked(Resources, known(Resources, read.cluster), "cluster")
        if min(resources.cores, resources.minutes) < 1:
            raise Damaged("requests no cores or minutes")
    return values


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise Damaged("has an invalid time of creation") from None


def attempts(content: bytes) -> list[dict[str, Any]]:
    """Parse ``attempts.json``."""
    values = checked(list[dict[str, Any]], parse(content))
    checked(list[Attempt], [known(Attempt, each) for each in values])
    return values


def failure(content: bytes) -> dict[str, Any]:
    """Parse ``failure.json``."""
    return {**vars(_read(Failure, content))}


def progress(content: bytes) -> dict[str, Any]:
    """Parse ``progress.json``."""
    return checked_progress(checked(dict[str, Any], parse(content)))


def checked_progress(values: dict[str, Any]) -> dict[str, Any]:
    """Return the known keys of a progress record; raise `Damaged` if one is wrong."""
    read: ProgressRecord = checked(ProgressRecord, known(ProgressRecord, values))
    if not 0 <= read.fraction <= 1:
        raise Damaged("has a fraction outside 0 to 1")
    return {**vars(read)}


def cluster_status(content: bytes) -> dict[str, Any]:
    """Parse ``cluster.json``."""
    values = checked(dict[str, Any], parse(content))
    checked(ClusterStatus, known(ClusterStatus, values))
    return {key: one_line(v) if isinstance(v, str) else v for key, v in values.items()}


def _read(kind: Any, content: bytes) -> Any:
    values = checked(dict[str, Any], parse(content))
    return checked(kind, known(kind, values))


def display_name(content: bytes) -> str:
    """Parse ``name``."""
    return one_line(as_text(content))


def outcome(content: bytes) -> Outcome:
    """Return the main numbers of ``result.json``."""
    try:
        result = parse(content)
    except Damaged:
        return Outcome()
    summary = result.get("summary") if isinstance(result, dict) else None
    if not isinstance(summary, dict):
        return Outcome()
    convergence = summary.get("convergence")
    converged = convergence.get("converged") if isinstance(convergence, dict) else None
    return Outcome(
        _number(summary.get("simulated_ns")),
        _number(summary.get("median_relative_error")),
        converged if isinstance(converged, bool) else None,
    )


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# --- checks ---------------------------------------------------------------------------------


def _check_result(stream: BinaryIO) -> None:
    from backend.sampling.summary import Summary

    Summary.from_dict(checked(dict[str, Any], parse(stream.read())).get("summary"))


def _check_table(stream: BinaryIO) -> None:
    """Check that a table of numbers is text that is not cut off."""
    content = stream.read()
    if not content.strip():
        raise Damaged("is empty")
    if b"\0" in content or not content.endswith(b"\n"):
        raise Damaged("is truncated or not text")
    as_text(content)


def _check_profile(stream: BinaryIO) -> None:
    """Check that a profile has the same number of finite columns in each row."""
    content = stream.read()
    _check_table(BytesIO(content))
    # counted in total, which is fast; each row is parsed when the result is loaded
    separators = content.count(b",") or content.count(b"\t")
    if not separators or separators % content.count(b"\n"):
        raise Damaged("has rows of different lengths")
    if any(word in content.lower() for word in (b"nan", b"inf")):
        raise Damaged("has values that are not finite")


def _check_blocks(stream: BinaryIO) -> None:
    """Check the index of an npz file; unpacking it takes longer."""
    try:
        with zipfile.ZipFile(stream) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise Damaged("is empty or truncated") from None
    if size > BLOCKS_BYTES:
        raise Damaged(f"unpacks to more than {BLOCKS_BYTES} bytes")


def _check_anything(stream: BinaryIO) -> None:
    """Accept any content."""


def _by(reader: Callable[[bytes], object]) -> Callable[[BinaryIO], None]:
    return lambda stream: (reader(stream.read()), None)[1]


@dataclass(frozen=True)
class FileKind:
    """A file of a run folder: its largest size, and the check of its content."""

    limit: int
    check: Callable[[BinaryIO], None]


_PROFILE = FileKind(TABLE_BYTES, _check_profile)
_TRAJECTORY = FileKind(TRAJECTORY_BYTES, _check_anything)

PROFILES = (
    "positive_density.csv",
    "p_density_profile.dat",
    "negative_density.csv",
    "n_density_profile.dat",
)
"""Files that every result has."""

FROM_WORKER = {
    "attempts.json": FileKind(JSON_BYTES, _by(attempts)),
    "progress.json": FileKind(JSON_BYTES, _by(progress)),
    "worker.log": FileKind(LOG_BYTES, _check_anything),
    **dict.fromkeys((*PROFILES, "histogram.csv"), _PROFILE),
    "charge.csv": FileKind(TABLE_BYTES, _check_table),
    "blocks.npz": FileKind(BLOCKS_BYTES, _check_blocks),
    "trajectory.xyz": _TRAJECTORY,
    "trajectory.lammpstrj": _TRAJECTORY,
    "failure.json": FileKind(JSON_BYTES, _by(failure)),
    "result.json": FileKind(JSON_BYTES, _check_result),
}
"""Files that a worker writes, by name: the only ones that are fetched from a cluster."""

KINDS = {
    **FROM_WORKER,
    "cluster.json": FileKind(JSON_BYTES, _by(cluster_status)),
    "name": FileKind(NAME_BYTES, _by(display_name)),
    "worker.lock": FileKind(JSON_BYTES, _check_anything),
}
"""All files of a run folder except ``run.json``, the marks and the folders."""

BEFORE_START = ("attempts.json", "progress.json", "worker.log", "worker.lock")
"""Files that must not be damaged when a worker is started."""

PARTIAL = (*PROFILES, "charge.csv")
"""Files of ``partial/``."""

RESULT = ("result.json", *PROFILES, "blocks.npz", "histogram.csv")
"""Files that a result is loaded from."""

FOLDERS = ("checkpoint", "partial")


def content_problem(name: str, content: bytes) -> str:
    """Return what is wrong with the content of a file that a worker writes; empty if nothing is."""
    kind = FROM_WORKER[name]
    if len(content) > kind.limit:
        return f"is larger than {kind.limit} bytes"
    try:
        kind.check(BytesIO(content))
    except ValueError as error:
        return in_words(error)
    return ""


def problem(folder: Path, names: Iterable[str] = (*KINDS, *FOLDERS)) -> str:
    """Return what is wrong with the files of a run folder in one line; empty if nothing is.

    Missing files are no problem, except those of a result if there is a ``result.json``. The
    content of tables and arrays is checked when they are loaded.
    """
    names = tuple(names)
    for name in names:
        if found := _problem(folder, name):
            return f"{name} {found}"
    if "result.json" in names and os.path.exists(folder / "result.json"):
        for name in PROFILES:
            if not os.path.exists(folder / name):
                return f"{name} is missing"
    return ""


def _problem(folder: Path, name: str) -> str:
    path = folder / name
    try:
        if name in FOLDERS:
            return "" if stat.S_ISDIR(os.stat(path).st_mode) else "is not a folder"
        kind = KINDS[name]
        with open_file(path, kind.limit) as stream:
            kind.check(stream)
    except FileNotFoundError:
        return "is a broken link" if os.path.islink(path) else ""
    except (OSError, ValueError) as error:
        return in_words(error)
    return ""


def read(folder: Path, name: str, reader: Callable[[bytes], Any]) -> Any:
    """Return the parsed content of a file; None if it is missing or damaged."""
    limit = JSON_BYTES if name not in KINDS else KINDS[name].limit
    try:
        return reader(read_bytes(folder / name, limit))
    except (OSError, ValueError):
        return None


# --- files that are read in part or together ------------------------------------------------


def failure_record(folder: Path) -> dict[str, Any] | None:
    """Return ``failure.json``, or a failure that says that it cannot be read; None without one."""
    found = read(folder, "failure.json", failure)
    if found is None and os.path.lexists(folder / "failure.json"):
        return failed("failure.json cannot be read")
    return found


def failed(reason: str, error: str = "") -> dict[str, Any]:
    """Return the content of ``failure.json`` for a run that failed because of its folder."""
    return {**vars(Failure("failed", reason, error))}


def log_tail(folder: Path, lines: int) -> list[str]:
    """Return the last lines of ``worker.log``, without characters that control a terminal."""
    try:
        with open_file(folder / "worker.log", LARGEST_LOG) as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 200 * lines - 4096))
            text = log.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return []
    last = text.splitlines()[-lines:] if lines > 0 else []
    return ["".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line) for line in last]


def load_result(folder: Path) -> SimulationResult:
    """Return the result in a folder; raise `ValueError` or `OSError` if it is damaged."""
    from backend.sampling.result import SimulationResult

    if found := problem(folder, RESULT):
        raise Damaged(found)
    return SimulationResult.load(folder)


def partial_charge(folder: Path, system: SlitSystem, profiles: SlitProfiles) -> ChargeProfile:
    """Return the charge that follows from the profiles so far, with errors if they are stored."""
    from backend.profiles.charge import ChargeProfile

    charge = ChargeProfile.of(system, profiles)
    try:
        return charge.with_errors(read_text(folder / "partial" / charge.FILE))
    except (OSError, ValueError):
        return charge
