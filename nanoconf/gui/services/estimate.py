"""Time estimate of a simulation on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.runs.local import cores
from backend.runs.state import RunState

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session


class TimeEstimate:
    """Estimates how long a simulation of the inputs on screen takes, and follows them.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._slowdown = 1.0
        session.state.observe(self._refresh, "values")
        self._refresh()

    def _refresh(self, _change: Any = None) -> None:
        from backend.engines.cost import estimated_seconds

        state = self._session.state
        state.estimate = (
            estimated_seconds(state.system, state.settings, cores(), self._slowdown)
            if state.valid
            else None
        )

    def calibrate(self) -> None:
        """Correct the estimate by the speed of the last simulation on this computer."""
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
    """Seconds that a run took, over the estimate of `seconds_per_step`; None if not recorded."""
    from backend.engines.cost import seconds_per_step

    timings = run.result().summary.timings
    if timings is None or not timings.steps_per_second:
        return None
    at_once = min(run.settings.replicas, cores())
    return at_once / timings.steps_per_second / seconds_per_step(run.system, run.settings)
