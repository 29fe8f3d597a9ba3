"""Phases of the simulation on a page, and the transitions between them."""

from __future__ import annotations

from enum import StrEnum


class RunPhase(StrEnum):
    """Phase of the simulation on a page.

    The archive holds the state of the run (queued, running, ...). The phase adds the requests of
    the page, and determines which buttons the page offers.
    """

    IDLE = "idle"
    """No simulation is in progress."""

    STARTING = "starting"
    """Run was pressed; the archive has not responded yet."""

    ACTIVE = "active"
    """The run is queued or running."""

    CANCELLING = "cancelling"
    """The run was asked to stop without a result."""

    FINISHING = "finishing"
    """The run was asked to stop and keep the result so far."""

    @property
    def ending(self) -> bool:
        """True if the run was asked to stop."""
        return self in (RunPhase.CANCELLING, RunPhase.FINISHING)

    def allows(self, request: RunPhase) -> bool:
        """Return True if a user may request the given phase now."""
        return request in REQUESTS[self]

    def reported(self, *, active: bool, same_run: bool) -> RunPhase:
        """Return the phase after a report on a run.

        Parameters
        ----------
        active : bool
            True if the run is queued or running.
        same_run : bool
            True if the previous report was on the same run, so that pending requests still apply.
        """
        if not active:
            return RunPhase.IDLE
        return self if self.ending and same_run else RunPhase.ACTIVE

    def failed(self, *, active: bool) -> RunPhase:
        """Return the phase after a failed request."""
        return RunPhase.ACTIVE if active else RunPhase.IDLE


REQUESTS = {
    RunPhase.IDLE: {RunPhase.STARTING},
    RunPhase.STARTING: set[RunPhase](),
    RunPhase.ACTIVE: {RunPhase.CANCELLING, RunPhase.FINISHING},
    RunPhase.CANCELLING: set[RunPhase](),
    RunPhase.FINISHING: {RunPhase.CANCELLING},
}
"""Phases that a user may request in each phase; reports on the run cause all other changes."""
