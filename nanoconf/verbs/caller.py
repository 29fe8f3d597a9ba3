"""Caller of a verb: its archive, its model and its permissions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backend.runs.archive import Archive

if TYPE_CHECKING:
    from backend.runs.run import Run
    from backend.settings import RunSettings
    from backend.system import SlitSystem
    from nanoconf.surrogate import Surrogate

RELOAD_SECONDS = 60.0
"""Age at which the model is loaded again, so that a retrained one is used."""


class CurrentModel:
    """The current surrogate, loaded when it is first needed; safe to share between threads.

    Parameters
    ----------
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._surrogate: Surrogate | None = None
        self._loaded_at = 0.0

    def load(self) -> Surrogate:
        """Return the surrogate.

        Raises
        ------
        ModelNotFound
            If there is no usable model.
        """
        from nanoconf.surrogate import Surrogate

        with self._lock:
            now = self._clock()
            if self._surrogate is None or now - self._loaded_at > RELOAD_SECONDS:
                self._surrogate, self._loaded_at = Surrogate.load(), now
            return self._surrogate


class Caller:
    """The user of this computer, who may do everything. The page's server restricts its visitors.

    Parameters
    ----------
    archive : Archive, optional
        The archive of runs; by default that of ``NANOCONF_HOME``.
    model : CurrentModel, optional
        The surrogate.

    Attributes
    ----------
    owner : str
        Hash that is stored with the runs that this caller submits; empty for commands.
    """

    owner = ""

    def __init__(self, archive: Archive | None = None, model: CurrentModel | None = None):
        self.archive = archive or Archive()
        self.model = model or CurrentModel()

    def check_submission(self, settings: RunSettings, cluster: str | None) -> None:
        """Check that this caller may submit a run; raise `InvalidInput` otherwise."""

    def admit(self) -> None:
        """Check, while no other run can be submitted, that this caller may submit a new one."""

    def submitted(self, run: Run) -> None:
        """Note a new run of this caller."""

    def run(self, run_id: str, *, to_cancel: bool = False) -> Run:
        """Return a run that this caller may open, or cancel.

        Raises
        ------
        UnknownRun
            There is no such run.
        """
        return self.archive.get(run_id)

    def about(self, run: Run) -> dict[str, Any]:
        """Return what this caller, but not every caller, may know about a run."""
        return {"folder": str(run.folder)}

    def destination(
        self, cluster: str | None, system: SlitSystem, settings: RunSettings
    ) -> dict[str, Any]:
        """Return where to simulate, as arguments for `Archive.submit`."""
        from backend.cluster.destination import destination

        return destination(cluster, system, settings)
