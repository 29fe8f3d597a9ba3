"""Sweeps: many simulations whose results are collected in one dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
import platform
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend import __version__
from backend.cluster.destination import destination, status_in_words, waiting_line
from backend.keeper.election import REELECTION_SECONDS, ensure_keeper
from backend.locks import Lock
from backend.runs import local
from backend.runs.archive import NOT_ACCEPTED, Archive
from backend.runs.run import DamagedRun, Run, now
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationError, SimulationResult
from backend.system import InvalidInput
from nanoconf.data import dataset, side_by_side
from nanoconf.data.plans import TRIES, Item

SAVE_SECONDS = 120.0
SAVE_SECONDS_SIDE_BY_SIDE = 5.0
"""Time between two writes of the dataset while its systems are simulated in this process: all
that is lost if it is killed."""

POLL_SECONDS = 0.2
CLUSTER_POLL_SECONDS = 2.0

AND = " && "
"""Separator between the commands that together made a dataset."""


@dataclass
class Sweep:
    """Execution of a plan.

    A few runs at a time are submitted to the queue ``"sweep"`` of the archive. Results in the
    archive or in the dataset are reused, so an interrupted sweep can be resumed.

    Parameters
    ----------
    plan : list of Item
        Systems to simulate.
    folder : Path
        Folder of the dataset.
    archive : Archive
        Archive of the runs.
    command : str
        Command that makes this dataset, for its card.
    add : bool
        Keep systems in the existing dataset that are not in the plan.
    histogram : bool
        Also store the histogram estimates of the profiles.
    cluster : str, optional
        Name of the cluster; empty for the first one, None for this computer.

    Attributes
    ----------
    failed : dict of int to str
        Reason for failure of each system whose attempts all failed, by number.
    """

    plan: list[Item]
    folder: Path
    archive: Archive
    command: str = ""
    add: bool = False
    histogram: bool = False
    cluster: str | None = None
    failed: dict[int, str] = field(default_factory=dict)
    _rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _kept: list[dict[str, Any]] = field(default_factory=list)
    _active: dict[int, tuple[Item, int, Run]] = field(default_factory=dict)
    _sessions: list[dict[str, str]] = field(default_factory=list)
    _started: str = ""

    def execute(self, progress: bool | None = None) -> None:
        """Execute the plan until all systems are done.

        Parameters
        ----------
        progress : bool, optional
            Show a progress bar; by default only on a terminal.

        Raises
        ------
        InvalidInput
            If the folder holds other data, or another sweep is writing to it.
        SimulationError
            If no run can succeed, whatever its seed.
        """
        self.archive.prepare()
        name = hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:16]
        lock = Lock(self.archive.home / f"sweep-{name}.lock")
        if not lock.acquire():
            raise InvalidInput("output", str(self.folder), "another sweep is writing to it")
        try:
            self._load_existing()
            self._run_all(progress)
        finally:
            lock.release()

    def _load_existing(self) -> None:
        """Reuse the rows of the existing dataset."""
        if not (self.folder / dataset.FILE).exists():
            return
        existing: dict[str, list[dict[str, Any]]] = {}
        for row in dataset.read_rows(self.folder, verify=False):
            existing.setdefault(row["inputs_hash"], []).append(row)
        for item in self.plan:
            for key in item.hashes():
                if len(existing.get(key, ())) == 2:
                    self._rows[item.number] = [
                        {**row, "system": item.number} for row in existing.pop(key)
                    ]
                    break
        self._load_history()
        others = [row for rows in existing.values() for row in rows]
        if others and not self.add:
            raise InvalidInput(
                "output",
                str(self.folder),
                f"holds {len(existing)} systems that are not in this plan (or have other "
                "settings): choose another folder, or keep them with --add",
            )
        first = len(self.plan)
        numbers = {key: first + i for i, key in enumerate(existing)}
        self._kept = [{**row, "system": numbers[row["inputs_hash"]]} for row in others]

    def _load_history(self) -> None:
        """Load the history of the existing dataset."""
        made: Any = None
        with contextlib.suppress(OSError, ValueError):  # killed just before the card was written
            made = dataset.load_card(self.folder).get("made")
        sessions, command = (
            made.get(name) if isinstance(made, dict) else None for name in ("sittings", "command")
        )
        self._sessions = sessions if isinstance(sessions, list) else []
        if self.add and isinstance(command, str):
            self.command = AND.join(dict.fromkeys([*command.split(AND), self.command]))

    def _run_all(self, progress: bool | None) -> None:
        from tqdm import tqdm

        waiting = deque(item for item in self.plan if item.number not in self._rows)
        bar = tqdm(
            total=len(self.plan),
            initial=len(self._rows),
            unit="system",
            disable=None if progress is None else not progress,
            smoothing=0.05,
        )
        report_waiting = waiting_line(progress)
        saved, keeper_checked, changed = time.monotonic(), -math.inf, True
        self._started = now() if waiting else ""
        try:
            if self.cluster is None:
                self._run_side_by_side(side_by_side.taken(waiting), bar)
            while waiting or self._active:
                self._submit_more(waiting)
                if time.monotonic() - keeper_checked > REELECTION_SECONDS:
                    waited = math.isfinite(keeper_checked)
                    ensure_keeper(self.archive.home, any_environment=waited)
                    self.archive.check_room()
                    keeper_checked = time.monotonic()
                finished = self._collect()
                if finished:
                    bar.update(finished)
                if self.cluster is not None and self._active:
                    _, _, run = next(iter(self._active.values()))  # all wait for the same reason
                    report_waiting(run)
                    bar.set_postfix_str(status_in_words(run))
                changed = changed or finished > 0
                if changed and time.monotonic() - saved > SAVE_SECONDS:
                    self.save()
                    saved, changed = time.monotonic(), False
                if not finished:
                    time.sleep(POLL_SECONDS if self.cluster is None else CLUSTER_POLL_SECONDS)
        except BaseException:
            self._stop_runs()
            raise
        finally:
            bar.close()
            self.save()

    def _run_side_by_side(self, items: list[Item], bar: Any) -> None:
        """Simulate items in this process; they are not in the archive, only in the dataset."""
        saved = time.monotonic()
        for item, attempt, result in side_by_side.outcomes(items):
            problem = side_by_side.problem_of(item, result)
            if isinstance(result, SimulationResult) and not problem:
                self._store(item, result, item.hashes()[attempt])
            else:
                self.failed[item.number] = problem
            bar.update()
            if time.monotonic() - saved > SAVE_SECONDS_SIDE_BY_SIDE:
                self.save()
                saved = time.monotonic()

    def _submit_more(self, waiting: deque[Item]) -> None:
        """Submit runs: on this computer, a few more than it has cores; on a cluster, all of them.

        No core idles, and a sweep on this computer stops quickly. Queued jobs on a cluster cost
        nothing.
        """
        limit = 2 * local.cores() + 2 if self.cluster is None else len(self.plan)
        while waiting and len(self._active) < limit:
            item = waiting.popleft()
            self._submit(item, self._stored_attempt(item))

    def _stored_attempt(self, item: Item) -> int:
        """Return the attempt whose run is in the archive, or the first one."""
        for attempt, key in enumerate(item.hashes()):
            run = self.archive.find(key)
            if run is not None:
                return attempt
        return 0

    def _submit(self, item: Item, attempt: int) -> None:
        settings = item.try_settings(attempt)
        run = self.archive.submit(
            item.system,
            settings,
            name=f"{self.folder.name} {item.number}",
            queue="sweep",
            **destination(self.cluster, item.system, settings),
        )
        self._active[item.number] = (item, attempt, run)

    def _collect(self) -> int:
        """Collect the finished runs and return the number of systems that are done."""
        count = 0
        for number, (item, attempt, run) in list(self._active.items()):
            if not run.finished:
                if not run.folder.exists():
                    self._submit(item, attempt)  # its folder was deleted
                continue
            problem = self._add_rows(item, run)
            del self._active[number]  # not earlier: on an interrupt, `_stop_runs` needs it
            if problem and run.error in NOT_ACCEPTED:
                raise SimulationError(f"the sweep has stopped: {problem}", run.error)
            if problem and run.state in (RunState.DONE, RunState.FAILED) and attempt + 1 < TRIES:
                self._submit(item, attempt + 1)
                continue
            if problem:
                self.failed[number] = problem
            count += 1
        return count

    def _add_rows(self, item: Item, run: Run) -> str:
        """Add the rows of a finished run; return the reason if that is impossible, else ''."""
        if run.state != RunState.DONE:
            return run.reason
        try:
            result = run.result()
        except DamagedRun as error:
            return str(error)
        if problem := side_by_side.problem_of(item, result):
            return problem
        self._store(item, result, run.inputs_hash)
        return ""

    def _store(self, item: Item, result: SimulationResult, inputs_hash: str) -> None:
        self._rows[item.number] = dataset.rows_of(
            result, number=item.number, inputs_hash=inputs_hash, histogram=self.histogram
        )

    def _stop_runs(self) -> None:
        """Collect the finished runs and cancel the rest unless others are waiting for them."""
        for item, _, run in self._active.values():
            if run.finished:
                self._add_rows(item, run)
            elif not run.joined and run.queue == "sweep":
                with contextlib.suppress(OSError):  # on a full disk, only the request is written
                    run.cancel()

    def save(self) -> None:
        """Write the dataset in its current state."""
        rows = [row for pair in self._rows.values() for row in pair] + self._kept
        if rows:
            dataset.save(self.folder, rows, self._card(rows))

    def _card(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seconds = {row["inputs_hash"]: row["seconds"] for row in rows}
        return {
            **dataset.describe(rows),
            "made": {
                "command": self.command,
                "sittings": [*self._sessions, *self._current_session()],
                "planned_systems": len(self.plan) + len({row["system"] for row in self._kept}),
                "complete": len(self._rows) + len(self.failed) == len(self.plan),
                "failed": {str(number): reason for number, reason in sorted(self.failed.items())},
                "simulation_hours": round(sum(seconds.values()) / 3600, 3),
                "simulated_ns": round(
                    sum({row["inputs_hash"]: row["simulated_ns"] for row in rows}.values()), 3
                ),
                "versions": {
                    "nanoconf": __version__,
                    "python": platform.python_version(),
                    "numpy": np.__version__,
                },
            },
        }

    def _current_session(self) -> list[dict[str, str]]:
        return [{"started": self._started, "saved": now()}] if self._started else []


def report(sweep: Sweep) -> int:
    """Print the outcome of a sweep and return the exit status."""
    done = len(sweep.plan) - len(sweep.failed)
    print(f"{done} of {len(sweep.plan)} systems in {sweep.folder}")
    for number, reason in sorted(sweep.failed.items()):
        print(f"system {number} failed {TRIES} times: {reason}", file=sys.stderr)
    return 1 if sweep.failed else 0
