"""Permissions: the only place that decides what a page may do with a run or a cluster.

The services ask here before they act. Buttons that are disabled or hidden protect nothing: a
browser can send any message to any widget.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from backend import environment
from backend.runs.archive import RUN_ID, UnknownRun
from backend.system import InvalidInput
from nanoconf.gui.services import clusters
from nanoconf.gui.services.identity import Identity, Submitter

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.runs.run import Run
    from backend.settings import RunSettings
    from nanoconf.gui.state import Simulation

LONGEST_NAME = 120
"""Maximum number of characters in the name of a run."""

LONGEST_SELECTION = 1000
"""Maximum number of runs that a page acts on at once."""


class Action(StrEnum):
    """Something that a page does with a run."""

    OPEN = "opened"
    CITE = "cited"
    RENAME = "renamed"
    CANCEL = "cancelled"
    FINISH = "finished"
    DELETE = "deleted"


FOR_EVERYONE = frozenset({Action.OPEN, Action.CITE})
"""Actions that do not change a run; all others are for its owner."""

TEACHERS_ONLY = "Only the teacher may see and clear the runs of the class."

COMMANDS = {Action.CANCEL: "nanoconf runs cancel", Action.DELETE: "nanoconf runs remove"}
"""Commands for the actions on runs that were submitted from the command line."""


class NotAllowed(RuntimeError):
    """Raised for an action that this page may not perform; the message gives the reason."""


def refusal(action: Action, run_id: str, submitter: Submitter) -> str:
    """Return the reason why an action is refused, in one line; empty if it is allowed.

    Parameters
    ----------
    action : Action
        The action.
    run_id : str
        ID of the run.
    submitter : Submitter
        Its submitter, as `Identity.submitter` returns it.
    """
    if action in FOR_EVERYONE or submitter is Submitter.HERE:
        return ""
    if submitter is Submitter.ELSEWHERE:
        return f"Run {run_id[:8]} can be {action} only in the browser that started it."
    command = COMMANDS.get(action)
    instead = f": use {command} {run_id[:8]}." if command else f": it cannot be {action} here."
    return f"Run {run_id[:8]} was started from the command line{instead}"


def refusal_on_screen(action: Action, shown: Simulation) -> str:
    """Return the reason why an action on the run on screen is refused; empty if it is allowed."""
    if shown.read_only and action not in FOR_EVERYONE:
        return f"Run {shown.run_id[:8]} was opened from a link and cannot be {action} on this page."
    return refusal(action, shown.run_id, shown.submitter)


def permitted(archive: Archive, identity: Identity, action: Action, run_id: str) -> Run:
    """Return a run on which a page may perform an action.

    Raises
    ------
    NotAllowed
        The run belongs to someone else.
    UnknownRun
        There is no such run, or the id is not the full id of a run.
    """
    if not RUN_ID.fullmatch(run_id):
        raise UnknownRun(f"{run_id[:40]!r} is not a run ID")
    run = archive.get(run_id)
    reason = refusal(action, run.id, identity.submitter(run))
    if reason:
        raise NotAllowed(reason)
    return run


def check_teacher(identity: Identity) -> None:
    """Check that the person at the page is a teacher.

    Raises
    ------
    NotAllowed
        It is anyone else.
    """
    if not identity.teacher:
        raise NotAllowed(TEACHERS_ONLY)


def of_class(run: Run) -> bool:
    """Return True if a run belongs to the class: if a browser, not a command, submitted it."""
    return bool(run.request.get("owner"))


def clearable(archive: Archive, identity: Identity, run_id: str) -> Run:
    """Return a run of the class, which a teacher may cancel and delete.

    Raises
    ------
    NotAllowed
        The person at the page is not a teacher, or the run does not belong to the class.
    UnknownRun
        There is no such run.
    """
    check_teacher(identity)
    run = archive.get(run_id)
    if not of_class(run):
        raise NotAllowed(refusal(Action.DELETE, run.id, Submitter.COMMAND))
    return run


def checked_name(name: str) -> str:
    """Return the name of a run on one line.

    Raises
    ------
    InvalidInput
        The name is too long.
    """
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        allowed = f"must have at most {LONGEST_NAME} characters"
        raise InvalidInput("name", f"{name[:20]}…", allowed)
    return name


def check_length(settings: RunSettings) -> None:
    """Check that a simulation is not too long for this page.

    Raises
    ------
    InvalidInput
        It is longer than ``NANOCONF_MAX_LENGTH``, or that variable is invalid.
    """
    maximum = environment.maximum_length()
    if maximum is not None and settings.duration_ns > maximum:
        allowed = f"must be at most {maximum:g} ns on this page"
        raise InvalidInput("simulation length", settings.duration_ns, allowed)


def check_unfinished(identity: Identity, archive: Archive) -> None:
    """Check that the person at the page may submit one more run.

    Raises
    ------
    InvalidInput
        ``NANOCONF_MAX_RUNS`` runs of this browser are unfinished, or that variable is invalid.
    """
    maximum = environment.whole_number(environment.MAX_RUNS)
    if maximum is None:
        return
    unfinished = sum(identity.owns(run) and not run.finished for run in archive.runs())
    if unfinished >= maximum:
        allowed = f"the limit is {maximum}; wait until one has finished, or cancel one in Runs"
        raise InvalidInput("unfinished runs of this browser", unfinished, allowed)


def check_cluster(place: clusters.Place, archive: Archive) -> None:
    """Check that the page may submit one more run to a cluster.

    Raises
    ------
    InvalidInput
        This page may not use the cluster, or the cluster has reached its limit of active runs.
    """
    names, note = clusters.usable()
    if place.cluster not in names:
        allowed = note or f"must be one of {', '.join(names)}"
        raise InvalidInput("cluster", place.cluster, allowed)
    clusters.check_room(place, archive)
