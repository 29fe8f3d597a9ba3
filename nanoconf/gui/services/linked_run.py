"""The run of a link: found in the archive by its id or the beginning of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.runs.run import Run

IGNORED = "Ignored in the link: run = {}: {}."

UNKNOWN = "there is no such run here; copy the link again"
DAMAGED = "this run is damaged and cannot be shown"
SEVERAL = "{} run IDs start with these characters; give the full run ID"


class NoLinkedRun(LookupError):
    """Raised if a link names no run; the message is one line without paths of this computer."""


def find(archive: Archive, linked: str) -> Run:
    """Return the run whose id starts with the given digits.

    Raises
    ------
    NoLinkedRun
        If there is none, more than one, or only a damaged one.
    """
    found = [run for run in archive.runs() if run.id.startswith(linked)]
    if len(found) > 1:
        raise _problem(linked, SEVERAL.format(len(found)))
    if not found:
        damaged = any(folder.id.startswith(linked) for folder in archive.damaged())
        raise _problem(linked, DAMAGED if damaged else UNKNOWN)
    _check(found[0], linked)
    return found[0]


def _check(run: Run, linked: str) -> None:
    """Raise `NoLinkedRun` if the inputs or the result of a run cannot be read."""
    try:
        _ = run.system, run.settings
        if run.state == RunState.DONE:
            run.result()
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        raise _problem(linked, DAMAGED) from error


def _problem(linked: str, reason: str) -> NoLinkedRun:
    return NoLinkedRun(IGNORED.format(linked, reason))
