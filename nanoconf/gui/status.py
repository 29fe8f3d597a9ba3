"""Status line of the page: a function of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.phase import RunPhase

if TYPE_CHECKING:
    from nanoconf.gui.state import AppState

TRAITS = (
    *("values", "problems", "valid", "simulation", "phase", "notice", "link_problems"),
    *("predicting", "prediction", "prediction_asked", "cluster_mode", "cluster_problem"),
)
"""Traits of the state that the status depends on."""

STARTING = "Starting the simulation …"
RESOURCES = "Correct the number of cores or the time limit to run."
LINK_LINES = 3
PREDICTING = "Predicting the profiles …"


@dataclass(frozen=True)
class Status:
    """Status of the page.

    Attributes
    ----------
    text : str
        The status line.
    mood : {"idle", "busy", "good", "bad"}
        Its mood, which sets its colour.
    spoken : str
        Text for screen readers; empty if it is the same. It changes only with the phase of a
        simulation and with every quarter of its progress.
    """

    text: str
    mood: str = "idle"
    spoken: str = ""


def current_status(state: AppState) -> Status:
    """Return the status of the page.

    A simulation in progress comes first, then a failure (until the inputs or the run change), then
    invalid inputs, then the prediction or the result on screen.
    """
    notice = _notice(state)
    if state.simulating:
        return _with_failure(notice, _in_progress(state))
    if notice is not None and (state.valid or notice.mood == "bad"):
        return notice
    if state.predicting:
        return Status(PREDICTING, "busy")
    if not state.valid:
        return Status(words.correct(state.problems), "bad")
    return _shown(state)


def _notice(state: AppState) -> Status | None:
    """Return the notice, followed by the first problems of a link; the log has all of them."""
    notice, problems = state.notice, state.link_problems
    if not problems:
        return notice
    shown = [*([notice.text] if notice else []), *problems[:LINK_LINES]]
    if len(problems) > LINK_LINES:
        shown.append(f"{len(problems) - LINK_LINES} more in the log.")
    return Status("\n".join(shown), "bad")


def outcome(state: AppState) -> Status | None:
    """Return the notice that the run on screen leaves; None unless it failed or was cancelled."""
    shown = state.simulation
    if shown.state not in (RunState.FAILED, RunState.CANCELLED):
        return None
    stale = not state.is_current(shown.system)
    return Status(words.status(shown, stale=stale), words.mood(shown))


def _with_failure(notice: Status | None, status: Status) -> Status:
    """Return the status of a simulation after a request to it has failed."""
    if notice is None:
        return status
    spoken = f"{notice.text} {status.spoken or status.text}"
    return Status(f"{notice.text} {status.text}", notice.mood, spoken)


def _in_progress(state: AppState) -> Status:
    if state.phase is RunPhase.STARTING:
        return Status(STARTING, "busy")
    shown = state.simulation
    mood = "bad" if shown.obstacle else "busy"
    return Status(words.status(shown, state.phase), mood, words.spoken(shown, state.phase))


def _shown(state: AppState) -> Status:
    """Return the status of the prediction or the result on screen."""
    asked, predicted, shown = state.prediction_asked, state.prediction, state.simulation
    requested = asked is not None and state.is_current(asked)
    if requested and predicted is not None and not state.is_stale(predicted):
        return Status(words.predicted(predicted), "good")
    if not state.runnable:
        return Status(RESOURCES, "bad")
    if shown is not None and shown.state == RunState.DONE:
        stale = state.is_stale(shown)
        return Status(words.status(shown, stale=stale), "idle" if stale else words.mood(shown))
    return Status("Ready.")
