"""Phases of the simulation that a page runs or watches, and the transitions between them."""

from __future__ import annotations

from enum import StrEnum


class RunPhase(StrEnum):
    """How far a page is with its simulation.

    The state of the run (queued, running, ...) is the archive's. This is what the page has asked
    for, and what it therefore offers.
    """

    IDLE = "idle"
    """No simulation is in progress."""

    STARTING = "starting"
    """Run was pressed; the archive has not answered yet."""

    ACTIVE = "active"
    """The run is queued or running."""

    CONFIRMING = "confirming"
    """Cancel was pressed for a run of another browser; the question stands."""

    CANCELLING = "cancelling"
    """The run was told to end without a result."""

    FINISHING = "finishing"
    """The run was told to end with the result so far."""

    @property
    def ending(self) -> bool:
        """Whether the run was told to end."""
        return self in (RunPhase.CANCELLING, RunPhase.FINISHING)

    def allows(self, request: RunPhase) -> bool:
        """Whether a user may ask for this phase now."""
        return request in REQUESTS[self]

    def reported(self, *, active: bool, same_run: bool) -> RunPhase:
        """Phase after a report on a run.

        Parameters
        ----------
        active : bool
            The run is queued or running.
        same_run : bool
            The report before was on this run, too: what was asked of it still holds.
        """
        if not active:
            return RunPhase.IDLE
        asked = self in (RunPhase.CONFIRMING, RunPhase.CANCELLING, RunPhase.FINISHING)
        return self if asked and same_run else RunPhase.ACTIVE

    def failed(self, *, active: bool) -> RunPhase:
        """Phase after a request failed: what was asked is dropped, but a question stands."""
        if self is RunPhase.CONFIRMING:
            return self
        return RunPhase.ACTIVE if active else RunPhase.IDLE


REQUESTS = {
    RunPhase.IDLE: {RunPhase.STARTING},
    RunPhase.STARTING: set[RunPhase](),
    RunPhase.ACTIVE: {RunPhase.CONFIRMING, RunPhase.CANCELLING, RunPhase.FINISHING},
    RunPhase.CONFIRMING: {RunPhase.CANCELLING, RunPhase.FINISHING},
    RunPhase.CANCELLING: set[RunPhase](),
    RunPhase.FINISHING: {RunPhase.CONFIRMING, RunPhase.CANCELLING},
}
"""What a user may ask for in each phase; everything else follows from reports on the run."""
