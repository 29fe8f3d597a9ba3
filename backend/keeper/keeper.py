"""The keeper's work: pass each run to this computer or its cluster, and start retraining."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backend.keeper import learning
from backend.keeper.local_runs import LocalRuns, damage_line
from backend.keeper.log import LogOnce, log
from backend.runs.archive import Archive
from backend.runs.run import DAMAGED, LOCAL, Run
from backend.system import InvalidInput

# The SSH library is loaded when the first run goes to a cluster.
if TYPE_CHECKING:
    from backend.cluster.here.dispatcher import Dispatcher
    from backend.cluster.ssh.login import Ask
    from backend.cluster.waiting import Say

CHECKS = 10
"""Number of finished runs whose files are checked in one poll."""


@dataclass
class Keeper:
    """Looks after the runs of an archive.

    Parameters
    ----------
    archive : Archive
        The archive.
    """

    archive: Archive
    local_runs: LocalRuns = field(default_factory=LocalRuns)
    _seen: set[str] = field(default_factory=set)
    _unchecked: list[Run] = field(default_factory=list)
    _dispatchers: dict[tuple[str, Path], Dispatcher] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _training: subprocess.Popen[bytes] | None = None
    _log_once: LogOnce = field(init=False)

    def __post_init__(self) -> None:
        self._log_once = self.local_runs.log_once = LogOnce(self.archive.home)

    def poll(self) -> bool:
        """Check every run once and start what can be started; return True if any is open."""
        self._add_new_runs()
        local = self.local_runs.poll()
        self._check_finished_runs()
        if self.local_runs.any_finished and not local:
            self._train()
        with self._guard:
            on_clusters = any(each.busy for each in self._dispatchers.values())
        return local or on_clusters or bool(self._unchecked)

    def log_in(self, name: str, config: Path, ask: Ask, say: Say) -> None:
        """Log in to a cluster, and hold the connection; called from other threads."""
        self._dispatcher(name, config).log_in(ask, say)

    def _add_new_runs(self) -> None:
        """Add new runs and forget removed ones; finished runs are checked only once."""
        self._name_damaged_folders()
        runs = {run.id: run for run in self.archive.runs()}
        for run_id in runs.keys() - self._seen:
            self._add(runs[run_id])
        for run_id in self.local_runs.open.keys() - runs.keys():
            del self.local_runs.open[run_id]
        self._seen = set(runs)

    def _add(self, run: Run) -> None:
        """Add a run unless it has finished; a damaged one may be repaired later."""
        if run.finished and run.error != DAMAGED:
            self._unchecked.append(run)
            return
        self._name_damage(run)
        if run.where == LOCAL:
            self.local_runs.open[run.id] = run
        else:
            self._dispatch(run)

    def _name_damage(self, run: Run) -> None:
        if run.damage():
            self._log_once(damage_line(run))

    def _check_finished_runs(self) -> None:
        """Check the files of some finished runs; checking all at once would delay other runs."""
        for _ in range(min(CHECKS, len(self._unchecked))):
            self._name_damage(self._unchecked.pop())

    def _name_damaged_folders(self) -> None:
        for folder in self.archive.damaged():
            self._log_once(f"{folder.id}: damaged: {folder.reason} ({folder.path})")

    def _dispatch(self, run: Run) -> None:
        """Pass a run to the dispatcher of its cluster."""
        self._dispatcher(run.where, Path(run.resources.get("config", ""))).add(run)

    def _dispatcher(self, name: str, config: Path) -> Dispatcher:
        from backend.cluster.here.dispatcher import Dispatcher

        with self._guard:
            if (name, config) not in self._dispatchers:
                self._dispatchers[name, config] = Dispatcher(self.archive, name, config, log)
                self._dispatchers[name, config].start()
            return self._dispatchers[name, config]

    def _train(self) -> None:
        """Start retraining the surrogate if the archive has enough new runs."""
        self.local_runs.any_finished = False
        if self._training is not None and self._training.poll() is None:
            return
        try:
            if learning.may_be_due(self.archive):
                self._training = learning.start_training(self.archive.home)
        except InvalidInput as error:
            log(f"no retraining: {error}")
