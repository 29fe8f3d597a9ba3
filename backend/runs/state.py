"""States of a run."""

from enum import StrEnum


class RunState(StrEnum):
    """State of a run, by the word that JSON files and tables show."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        """True while the run waits for a processor or runs."""
        return self in (RunState.QUEUED, RunState.RUNNING)

    @property
    def final(self) -> bool:
        """True once the run is done, failed or cancelled; such a state never changes again."""
        return not self.active
