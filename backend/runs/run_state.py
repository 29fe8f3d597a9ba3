"""States of a run."""

from enum import StrEnum


class RunState(StrEnum):
    """State of a run; the values are the words used in JSON files and tables."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        """True while the run is queued or running."""
        return self in (RunState.QUEUED, RunState.RUNNING)

    @property
    def final(self) -> bool:
        """True once the run is done, failed or cancelled; a final state never changes."""
        return not self.active
