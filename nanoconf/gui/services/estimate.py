"""Estimated time of a simulation on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.runs.local import cores
from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session


class TimeEstimate:
    """Service that estimates the time of a simulation when the inputs change.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._slowdown = 1.0
        session.state.observe(self._refresh, ["values", "engine"])
        self._refresh()

    def _refresh(self, _change: Any = None) -> None:
        from backend.engines.run_time import estimated_seconds

        state = self._session.state
        state.estimate = (
            estimated_seconds(state.system, state.settings, cores(), self._slowdown)
            if state.valid
            else None
        )

    def calibrate(self) -> None:
        """Scale the estimate by the speed of the last simulation on this computer."""
        self._session.runner.submit(self._calibrate)

    def _calibrate(self) -> None:
        for run in self._session.archive.runs():
            if run.state != RunState.DONE or run.where != "local":
                continue
            try:
                slowdown = _slowdown(run)
            except (RuntimeError, LookupError, ValueError, ZeroDivisionError):
                continue
            if slowdown is None:
                continue
            self._slowdown = slowdown
            self._session.post(self._refresh)
            return


def _slowdown(run: Run) -> float | None:
    """Return the ratio of measured to estimated time per step; None if not recorded."""
    from backend.engines.run_time import slowdown

    timings = run.result().summary.timings
    if timings is None or not timings.steps_per_second:
        return None
    return slowdown(run.system, run.settings, cores(), timings.steps_per_second)
